// NCCL's messages: files in the folder in which a communicator's ranks meet.
#ifndef STANDIN_NCCL_MESSAGES_HPP
#define STANDIN_NCCL_MESSAGES_HPP

#include "device.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace standin::nccl {

enum Result { OK = 0, CUDA_ERROR = 1, SYSTEM_ERROR = 2, INTERNAL_ERROR = 3, BAD_ARGUMENT = 4, BAD_USAGE = 5, REMOTE_ERROR = 6, IN_PROGRESS = 7 };

// One message of a group of calls.
struct Part {
  bool send;
  int peer;
  char* memory;
  size_t bytes;
  std::string name; // of its file
  bool done;
};

// What outlives a communicator that is aborted while its work is in a stream.
struct State {
  std::string folder;
  std::string failure;
  std::atomic<int> result{OK};
  std::atomic<bool> aborted{false};
  std::map<int, long> sent; // messages by peer
  std::map<int, long> received;
};

// Writes a file that is there whole or not at all.
void write(const std::string& file, const char* data, size_t bytes);

// Puts a group's messages of one communicator into the stream, as one piece of work.
int launch(const std::shared_ptr<State>& state, int rank, Stream* stream, std::vector<Part> parts);

} // namespace standin::nccl

#endif
