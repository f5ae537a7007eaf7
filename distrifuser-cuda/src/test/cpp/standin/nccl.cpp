// libnccl.so.2: ranks of one process or of several, which meet in a folder that the unique id names. A message is a file there; its sender writes it
// and its receiver takes it at some moment after both operations' turns have come in their streams. Communicators that don't block are in progress for
// a while after each group of calls, and only then is its work in the stream.
#include "nccl_messages.hpp"

#include <unistd.h>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

using namespace standin;
using namespace standin::nccl;

namespace {

struct UniqueId {
  char text[128];
};

struct Config {
  size_t size;
  unsigned magic;
  unsigned version;
  int blocking;
  int cgaClusterSize;
  int minCTAs;
  int maxCTAs;
  const char* netName;
  int splitShare;
  int trafficClass;
  const char* commName;
  int others[8];
};

size_t widthOf(int type) {
  switch (type) {
  case 0:
  case 1:
    return 1;
  case 6:
  case 9:
    return 2;
  case 2:
  case 3:
  case 7:
    return 4;
  default:
    return 0;
  }
}

struct Comm;

struct Call {
  Comm* comm;
  Stream* stream;
  std::vector<Part> parts;
};

struct Comm {
  std::shared_ptr<State> state = std::make_shared<State>();
  int ranks;
  int rank;
  int device;
  bool ready = false; // all ranks have come
  int polls = 0; // how often it is still in progress
  bool finalized = false;
  std::vector<Call> launching;
};

std::mutex guard;
std::set<Comm*> comms;
thread_local int depth = 0;
thread_local std::vector<Call> grouped;
thread_local std::string lastError;

std::string fileOfRank(const State& s, int rank) { return s.folder + "/rank" + std::to_string(rank); }

bool exists(const std::string& file) { return access(file.c_str(), F_OK) == 0; }

int failed(int result, const std::string& why) {
  lastError = why;
  return result;
}

bool known(Comm* c) {
  std::lock_guard<std::mutex> lock(guard);
  if (comms.count(c) == 0) {
    report("a communicator is used that does not exist");
    return false;
  }
  return true;
}

// Whether all ranks have come, each on a device of its own.
int meet(Comm* c) {
  std::set<std::string> devices;
  for (int r = 0; r < c->ranks; r++) {
    std::ifstream in(fileOfRank(*c->state, r));
    std::string device;
    if (!std::getline(in, device)) {
      return IN_PROGRESS;
    }
    if (!devices.insert(device).second) {
      c->state->failure = "Duplicate GPU detected : rank " + std::to_string(r) + " on device " + device;
      return BAD_USAGE;
    }
  }
  c->ready = true;
  return OK;
}

int add(Comm* c, Stream* stream, std::vector<Part> parts) {
  if (!known(c)) {
    return BAD_ARGUMENT;
  }
  if (!c->ready || c->polls > 0 || !c->launching.empty()) {
    report("a communicator is used while it is in progress");
    return BAD_USAGE;
  }
  if (c->state->aborted || c->finalized || c->state->result != OK) {
    return failed(BAD_USAGE, "the communicator has failed or ended");
  }
  if (deviceOf(stream) != c->device || currentDevice() != c->device) {
    report("a communicator of device " + std::to_string(c->device) + " is used with a stream of device " + std::to_string(deviceOf(stream)) +
           " by a thread on device " + std::to_string(currentDevice()));
    return BAD_ARGUMENT;
  }
  if (depth == 0) {
    report("a call outside of a group, which may wait for ever");
    return BAD_USAGE;
  }
  for (Call& call : grouped) {
    if (call.comm == c) {
      call.parts.insert(call.parts.end(), parts.begin(), parts.end());
      return OK;
    }
  }
  grouped.push_back(Call{c, stream, std::move(parts)});
  return OK;
}

} // namespace

EXPORT int ncclGetVersion(int* version) {
  *version = ncclVersion;
  return OK;
}

EXPORT const char* ncclGetErrorString(int result) {
  switch (result) {
  case OK:
    return "no error";
  case CUDA_ERROR:
    return "unhandled cuda error";
  case SYSTEM_ERROR:
    return "unhandled system error";
  case INTERNAL_ERROR:
    return "internal error";
  case BAD_ARGUMENT:
    return "invalid argument";
  case BAD_USAGE:
    return "invalid usage";
  case REMOTE_ERROR:
    return "remote process exited or there was a network error";
  case IN_PROGRESS:
    return "NCCL operation in progress";
  default:
    return "unknown result code";
  }
}

EXPORT const char* ncclGetLastError(Comm* c) {
  if (c != nullptr && known(c)) {
    lastError = c->state->failure;
  }
  return lastError.c_str();
}

EXPORT int ncclGetUniqueId(UniqueId* id) {
  std::memset(id, 0, sizeof *id);
  const char* top = exists("/dev/shm") ? "/dev/shm" : "/tmp";
  std::snprintf(id->text, sizeof id->text, "%s/standin-nccl-%d-XXXXXX", top, getpid());
  return mkdtemp(id->text) == nullptr ? failed(SYSTEM_ERROR, "no folder for ranks to meet in") : OK;
}

EXPORT int ncclCommInitRankConfig(Comm** comm, int ranks, UniqueId id, int rank, const Config* config) {
  if (unsafe()) {
    return CUDA_ERROR;
  }
  bool filled = config->size == sizeof(Config) && config->magic == 0xcafebeef && config->version == 22903 && config->blocking == 0 &&
                config->netName == nullptr && config->commName == nullptr;
  for (int undefined : {config->cgaClusterSize, config->minCTAs, config->maxCTAs, config->splitShare, config->trafficClass}) {
    filled = filled && undefined == INT_MIN;
  }
  for (int undefined : config->others) {
    filled = filled && undefined == INT_MIN;
  }
  if (!filled) {
    report("ncclConfig_t is not filled as nccl.h does, for a communicator that does not block");
    return BAD_ARGUMENT;
  }
  if (rank < 0 || rank >= ranks) {
    return failed(BAD_ARGUMENT, "no such rank");
  }
  Comm* c = new Comm();
  c->ranks = ranks;
  c->rank = rank;
  c->device = currentDevice();
  c->state->folder = id.text;
  const std::string device = std::to_string(c->device) + "\n";
  write(fileOfRank(*c->state, rank), device.data(), device.size());
  std::lock_guard<std::mutex> lock(guard);
  comms.insert(c);
  counted("NCCL communicators", 1);
  *comm = c;
  return IN_PROGRESS;
}

EXPORT int ncclCommGetAsyncError(Comm* c, int* result) {
  if (!known(c)) {
    return BAD_ARGUMENT;
  }
  State& s = *c->state;
  *result = s.result;
  if (s.result != OK || s.aborted) {
    return OK;
  }
  if (!c->ready) {
    s.result = meet(c);
    *result = s.result;
    if (s.result == IN_PROGRESS) {
      s.result = OK;
    }
    return OK;
  }
  if (c->polls > 0 && --c->polls > 0) {
    *result = IN_PROGRESS;
    return OK;
  }
  for (Call& call : c->launching) {
    const int status = launch(c->state, c->rank, call.stream, std::move(call.parts));
    if (status != OK) {
      s.result = status;
    }
  }
  c->launching.clear();
  *result = s.result;
  return OK;
}

EXPORT int ncclGroupStart() {
  depth++;
  return OK;
}

EXPORT int ncclGroupEnd() {
  if (depth == 0) {
    return failed(BAD_USAGE, "no group has begun");
  }
  if (--depth > 0) {
    return OK;
  }
  std::vector<Call> calls = std::move(grouped);
  grouped.clear();
  for (Call& call : calls) {
    call.comm->polls = 1 + below(3);
    call.comm->launching.push_back(std::move(call));
  }
  return calls.empty() ? OK : IN_PROGRESS;
}

EXPORT int ncclSend(const void* memory, size_t count, int type, int peer, Comm* c, Stream* stream) {
  char* p = static_cast<char*>(const_cast<void*>(memory));
  return add(c, stream, {Part{true, peer, p, count * widthOf(type), "", false}});
}

EXPORT int ncclRecv(void* memory, size_t count, int type, int peer, Comm* c, Stream* stream) {
  return add(c, stream, {Part{false, peer, static_cast<char*>(memory), count * widthOf(type), "", false}});
}

EXPORT int ncclAllGather(const void* from, void* to, size_t count, int type, Comm* c, Stream* stream) {
  if (!known(c)) {
    return BAD_ARGUMENT;
  }
  const size_t bytes = count * widthOf(type);
  char* own = static_cast<char*>(to) + c->rank * bytes;
  if (from != own) {
    report("an all-gather that is not in place");
    return BAD_USAGE;
  }
  std::vector<Part> parts;
  for (int r = 0; r < c->ranks; r++) {
    if (r != c->rank) {
      parts.push_back(Part{true, r, own, bytes, "", false});
      parts.push_back(Part{false, r, static_cast<char*>(to) + r * bytes, bytes, "", false});
    }
  }
  return add(c, stream, std::move(parts));
}

EXPORT int ncclCommFinalize(Comm* c) {
  if (!known(c)) {
    return BAD_ARGUMENT;
  }
  c->finalized = true;
  c->polls = 1 + below(3);
  return IN_PROGRESS;
}

namespace {

void end(Comm* c) {
  std::lock_guard<std::mutex> lock(guard);
  unlink(fileOfRank(*c->state, c->rank).c_str());
  rmdir(c->state->folder.c_str()); // the last one's succeeds
  comms.erase(c);
  counted("NCCL communicators", -1);
  delete c;
}

} // namespace

EXPORT int ncclCommDestroy(Comm* c) {
  if (!known(c)) {
    return BAD_ARGUMENT;
  }
  if (!c->finalized || c->polls > 0) {
    report("a communicator is destroyed before it is finalized");
  }
  end(c);
  return OK;
}

EXPORT int ncclCommAbort(Comm* c) {
  if (!known(c)) {
    return BAD_ARGUMENT;
  }
  c->state->aborted = true;
  std::error_code ignored;
  std::filesystem::remove_all(c->state->folder, ignored);
  end(c);
  return OK;
}
