// Moves messages between ranks.
#include "nccl_messages.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <fstream>

namespace standin::nccl {

void write(const std::string& file, const char* data, size_t bytes) {
  const std::string beside = file + ".new";
  std::ofstream(beside, std::ios::binary).write(data, static_cast<std::streamsize>(bytes));
  std::rename(beside.c_str(), file.c_str());
}

namespace {

// Moves some of the messages that can move; true when all have. A message begins with the time at which its sender began, and none is received before.
bool progress(State& s, std::vector<Part>& parts, uint64_t& latest) {
  startNotBefore(latest);
  if (s.aborted) {
    return true;
  }
  bool all = true;
  for (Part& p : parts) {
    if (p.done) {
      continue;
    }
    if (below(2) == 0) {
      all = false;
      continue;
    }
    const std::string file = s.folder + "/" + p.name;
    if (p.send) {
      if (mayTouch("ncclSend", {p.memory, p.bytes})) {
        const uint64_t begun = startTime();
        std::string message(reinterpret_cast<const char*>(&begun), sizeof begun);
        message.append(p.memory, p.bytes);
        write(file, message.data(), message.size());
      }
      p.done = true;
      continue;
    }
    struct stat status;
    if (stat(file.c_str(), &status) != 0) {
      all = false;
      continue;
    }
    uint64_t begun = 0;
    const size_t bytes = status.st_size - sizeof begun;
    if (bytes != p.bytes) {
      report("rank " + std::to_string(p.peer) + " sends " + std::to_string(bytes) + " bytes where " + std::to_string(p.bytes) + " are received (" + p.name + ")");
    } else if (mayTouch("ncclRecv", {p.memory, p.bytes})) {
      std::ifstream in(file, std::ios::binary);
      in.read(reinterpret_cast<char*>(&begun), sizeof begun);
      in.read(p.memory, static_cast<std::streamsize>(p.bytes));
      latest = std::max(latest, begun);
      startNotBefore(latest);
    }
    unlink(file.c_str());
    p.done = true;
  }
  return all;
}

} // namespace

int launch(const std::shared_ptr<State>& state, int rank, Stream* stream, std::vector<Part> parts) {
  Order& order = orderFor(rank);
  const int ordered = order.left > 0 && --order.left == 0 ? order.kind : 0;
  std::vector<Touch> touches;
  for (const Part& p : parts) {
    touches.push_back({p.memory, p.bytes});
  }
  const std::vector<Part> all = std::move(parts);
  Cost cost;
  cost.linkBytes = 0;
  for (bool send : {false, true}) { // both ways at once
    double bytes = 0;
    for (const Part& p : all) {
      bytes += p.send == send ? p.bytes : 0;
    }
    cost.linkBytes = std::max(cost.linkBytes, bytes);
  }
  const auto begin = [=]() -> Done {
    auto moving = std::make_shared<std::vector<Part>>(all);
    for (Part& p : *moving) {
      long& count = (p.send ? state->sent : state->received)[p.peer];
      const int from = p.send ? rank : p.peer;
      const int to = p.send ? p.peer : rank;
      p.name = std::to_string(from) + "-" + std::to_string(to) + "-" + std::to_string(count++);
    }
    auto latest = std::make_shared<uint64_t>(0);
    return [=] {
      if (ordered == 0) {
        return progress(*state, *moving, *latest);
      }
      if (ordered == 1 && state->result == OK) {
        state->failure = "ordered by a test"; // before the result, by which another thread knows of it
        state->result = REMOTE_ERROR;
      }
      return state->aborted.load();
    };
  };
  const int status = enqueueMeeting(stream, "NCCL", touches, begin, cost);
  return status == SUCCESS ? OK : CUDA_ERROR;
}

} // namespace standin::nccl
