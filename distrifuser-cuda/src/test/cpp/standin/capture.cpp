// Captures of streams into graphs, and launches of those, with CUDA's rules: what may not be called during a capture fails with CUDA's status, and the
// capture is lost. A launched graph's nodes run in any order that their dependencies allow.
#include "queue.hpp"

#include <algorithm>

namespace standin {

namespace {

enum Mode { GLOBAL = 0, THREAD_LOCAL = 1, RELAXED = 2 };

uint64_t captures = 0;
std::set<Capture*> active;
std::set<CapturedGraph*> graphs;
std::set<Executable*> executables;
long recordsToRefuse = 0;
thread_local int threadMode = GLOBAL;

void merge(std::vector<size_t>& into, const std::vector<size_t>& from) {
  for (size_t n : from) {
    if (std::find(into.begin(), into.end(), n) == into.end()) {
      into.push_back(n);
    }
  }
}

void join(Stream* stream, const std::shared_ptr<Capture>& capture) {
  stream->capture = capture;
  stream->after.clear();
  capture->members.insert(stream);
}

void end(const std::shared_ptr<Capture>& capture) {
  capture->ended = true;
  active.erase(capture.get());
  for (Stream* s : capture->members) {
    s->capture = nullptr;
    s->after.clear();
  }
}

// Whether all that members were given comes before the origin's end.
bool isJoined(const Capture& c) {
  std::vector<char> seen(c.nodes.size());
  std::vector<size_t> open = c.origin->after;
  while (!open.empty()) {
    const size_t n = open.back();
    open.pop_back();
    if (!seen[n]) {
      seen[n] = 1;
      open.insert(open.end(), c.nodes[n].after.begin(), c.nodes[n].after.end());
    }
  }
  return std::all_of(c.members.begin(), c.members.end(),
                     [&](const Stream* s) { return std::all_of(s->after.begin(), s->after.end(), [&](size_t n) { return seen[n] != 0; }); });
}

} // namespace

std::vector<size_t> Run::readyNodes() const {
  std::vector<size_t> ready;
  if (before != nullptr && before->left > 0) {
    return ready;
  }
  for (size_t i = 0; i < done.size(); i++) {
    const std::vector<size_t>& after = graph->nodes[i].after;
    const bool turn = !done[i] && std::all_of(after.begin(), after.end(), [&](size_t a) { return done[a] != 0; });
    if (turn && (!meetings[i].isBegun() || isDone(meetings[i]))) {
      ready.push_back(i);
    }
  }
  return ready;
}

bool Run::isMeeting() const {
  for (size_t i = 0; i < done.size(); i++) {
    if (!done[i] && meetings[i].isBegun()) {
      return true;
    }
  }
  return false;
}

uint64_t Run::startOf(size_t node, uint64_t now) const {
  for (size_t a : graph->nodes[node].after) {
    now = std::max(now, ends[a]);
  }
  return now;
}

int lose(Stream* stream, int status) {
  stream->capture->lost = true;
  return status;
}

int record(Stream* stream, Work work) {
  Capture& c = *stream->capture;
  if (c.lost) {
    return CAPTURE_INVALIDATED;
  }
  if (recordsToRefuse > 0 && --recordsToRefuse == 0) {
    return lose(stream, CAPTURE_UNSUPPORTED);
  }
  counts[COUNT_CAPTURED]++;
  c.nodes.push_back(Node{std::move(work), stream->after, stream->number});
  stream->after = {c.nodes.size() - 1};
  return SUCCESS;
}

bool recordInCapture(Event* event, Stream* stream, int* status) {
  event->capture = nullptr;
  event->after.clear();
  if (stream->capture == nullptr) {
    return false;
  }
  if (stream->capture->lost) {
    *status = CAPTURE_INVALIDATED;
    return true;
  }
  event->capture = stream->capture;
  event->after = stream->after;
  *status = SUCCESS;
  return true;
}

bool waitInCapture(Stream* stream, Event* event, int* status) {
  if (event->capture == nullptr) {
    if (stream->capture == nullptr) {
      return false;
    }
    *status = lose(stream, CAPTURE_ISOLATION);
    return true;
  }
  const std::shared_ptr<Capture> capture = event->capture;
  if (capture->ended) {
    *status = stream->capture == nullptr ? CAPTURED_EVENT : lose(stream, CAPTURED_EVENT);
  } else if (stream->capture != nullptr && stream->capture != capture) {
    capture->lost = true;
    *status = lose(stream, CAPTURE_MERGE);
  } else if (capture->lost) {
    *status = CAPTURE_INVALIDATED;
  } else {
    if (stream->capture == nullptr) {
      join(stream, capture);
    }
    merge(stream->after, event->after);
    *status = SUCCESS;
  }
  return true;
}

void forgetCaptures(Stream* stream) {
  if (stream->capture != nullptr) {
    report("a stream is destroyed while it is captured");
    stream->capture->lost = true;
    stream->capture->members.erase(stream);
  }
}

void orderCaptureFault(long n) { recordsToRefuse = n; }

bool isCapturing(Stream* stream) {
  Lock lock(mutex);
  return streams.count(stream) != 0 && stream->capture != nullptr;
}

int refused(Stream* stream) {
  Lock lock(mutex);
  return lose(stream, CAPTURE_UNSUPPORTED);
}

int unsafe() {
  Lock lock(mutex);
  int status = SUCCESS;
  for (Capture* c : active) {
    const bool own = c->thread == std::this_thread::get_id() && c->mode != RELAXED && threadMode != RELAXED;
    const bool others = c->mode == GLOBAL && threadMode == GLOBAL;
    if (own || others) {
      c->lost = true;
      status = CAPTURE_UNSUPPORTED;
    }
  }
  return status;
}

int implicit() {
  int status = INVALID_HANDLE;
  for (Capture* c : active) {
    if (c->thread == std::this_thread::get_id()) {
      c->lost = true;
      status = CAPTURE_IMPLICIT;
    }
  }
  return status;
}

int exchangeMode(int* mode) {
  if (*mode < GLOBAL || *mode > RELAXED) {
    return INVALID_VALUE;
  }
  std::swap(*mode, threadMode);
  return SUCCESS;
}

int beginCapture(Stream* stream, int mode) {
  Lock lock(mutex);
  if (stream == nullptr) {
    return CAPTURE_UNSUPPORTED;
  }
  if (!known(stream)) {
    return INVALID_HANDLE;
  }
  if (mode < GLOBAL || mode > RELAXED) {
    return INVALID_VALUE;
  }
  if (stream->capture != nullptr) {
    return lose(stream, ILLEGAL_STATE);
  }
  auto c = std::make_shared<Capture>();
  c->id = ++captures;
  c->mode = mode;
  c->thread = std::this_thread::get_id();
  c->origin = stream;
  active.insert(c.get());
  join(stream, c);
  return SUCCESS;
}

int endCapture(Stream* stream, CapturedGraph** graph) {
  Lock lock(mutex);
  *graph = nullptr;
  if (!known(stream)) {
    return INVALID_HANDLE;
  }
  const std::shared_ptr<Capture> c = stream->capture;
  if (c == nullptr) {
    return ILLEGAL_STATE;
  }
  if (c->origin != stream) {
    return lose(stream, CAPTURE_UNMATCHED);
  }
  if (c->mode != RELAXED && c->thread != std::this_thread::get_id()) {
    return lose(stream, CAPTURE_WRONG_THREAD);
  }
  const bool joined = isJoined(*c);
  end(c);
  if (c->lost || !joined) {
    return c->lost ? CAPTURE_INVALIDATED : CAPTURE_UNJOINED;
  }
  *graph = new CapturedGraph{std::move(c->nodes)};
  graphs.insert(*graph);
  counted("graphs", 1);
  return SUCCESS;
}

int captureInfo(Stream* stream, int* status, uint64_t* id) {
  Lock lock(mutex);
  if (!known(stream)) {
    return stream == nullptr ? implicit() : INVALID_HANDLE;
  }
  const Capture* c = stream->capture.get();
  *status = c == nullptr ? 0 : c->lost ? 2 : 1;
  if (id != nullptr && c != nullptr) {
    *id = c->id;
  }
  return SUCCESS;
}

int graphNodes(CapturedGraph* graph, size_t* count) {
  Lock lock(mutex);
  if (graphs.count(graph) == 0) {
    return INVALID_VALUE;
  }
  *count = graph->nodes.size();
  return SUCCESS;
}

int graphDestroy(CapturedGraph* graph) {
  Lock lock(mutex);
  if (graphs.erase(graph) == 0) {
    report("a graph is destroyed that does not exist");
    return INVALID_VALUE;
  }
  delete graph;
  counted("graphs", -1);
  return SUCCESS;
}

int instantiate(Executable** executable, CapturedGraph* graph) {
  Lock lock(mutex);
  *executable = nullptr;
  if (graphs.count(graph) == 0) {
    report("a graph is instantiated that does not exist");
    return INVALID_VALUE;
  }
  if (faulted()) {
    return OUT_OF_MEMORY;
  }
  *executable = new Executable{std::make_shared<const CapturedGraph>(*graph), nullptr};
  executables.insert(*executable);
  counted("executable graphs", 1);
  return SUCCESS;
}

int executableDestroy(Executable* executable) {
  Lock lock(mutex);
  if (executables.erase(executable) == 0) {
    report("an executable graph is destroyed that does not exist");
    return INVALID_VALUE;
  }
  delete executable;
  counted("executable graphs", -1);
  return SUCCESS;
}

int graphLaunch(Executable* executable, Stream* stream) {
  Lock lock(mutex);
  if (executables.count(executable) == 0) {
    report("an executable graph is launched that does not exist");
    return INVALID_VALUE;
  }
  if (!known(stream)) {
    return INVALID_HANDLE;
  }
  if (stream->capture != nullptr) {
    return lose(stream, CAPTURE_UNSUPPORTED); // graphs within graphs: not simulated
  }
  counts[COUNT_GRAPH_LAUNCHES]++;
  auto run = std::make_shared<Run>(executable->graph);
  if (executable->last != nullptr && executable->last->left > 0) {
    run->before = executable->last;
  }
  executable->last = run;
  Operation o{};
  o.kind = Operation::GRAPH;
  o.work.what = "cudaGraphLaunch";
  o.launched = run;
  push(stream, std::move(o));
  return SUCCESS;
}

} // namespace standin

// The n-th operation from now on that is captured is refused, and its capture lost.
EXPORT void standin_refuse_capture(long n) { standin::orderCaptureFault(n); }
