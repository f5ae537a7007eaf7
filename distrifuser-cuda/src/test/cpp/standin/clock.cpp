// A simulated clock. Each operation takes a modelled time: what it computes, what it touches, or what it sends, over the device's speeds. It begins
// when its stream's previous operation, what it waits for and the host's call have ended. Nothing here takes that time for real.
#include "queue.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace standin {

namespace {

double variable(const char* name, double otherwise) {
  const char* text = std::getenv(name);
  const double value = text == nullptr ? 0 : std::atof(text);
  return value > 0 ? value : otherwise;
}

struct Speeds {
  double flops; // a second
  double memory; // bytes a second
  double link; // bytes a second, of one rank's messages
  double latency; // nanoseconds of a message
  double overhead; // nanoseconds of an operation on the device
  double call; // nanoseconds of an operation on the host
};

// By default a device like an A100 behind NVLink.
Speeds usual() {
  return {variable("STANDIN_FLOPS", 150e12), variable("STANDIN_MEMORY", 1.5e12),   variable("STANDIN_LINK", 250e9),
          variable("STANDIN_LATENCY", 10e3), variable("STANDIN_OVERHEAD", 2e3), variable("STANDIN_CALL", 0)};
}

Speeds speeds = usual();

struct Span {
  int lane;
  const char* what;
  uint64_t start;
  uint64_t end;
};

bool tracing = false;
std::vector<Span> spans;
uint64_t epoch = 0;
thread_local uint64_t hostEpoch = 0;
thread_local double host = 0;
thread_local uint64_t start = 0; // of the operation that is running

uint64_t duration(const Work& w) {
  if (w.cost.nanoseconds >= 0) {
    return w.cost.nanoseconds;
  }
  if (w.cost.linkBytes >= 0) {
    return static_cast<uint64_t>(speeds.latency + w.cost.linkBytes / speeds.link * 1e9);
  }
  return static_cast<uint64_t>(speeds.overhead + std::max(w.cost.flops / speeds.flops, bytesOf(w.touches) / speeds.memory) * 1e9);
}

void enterEpoch() {
  if (hostEpoch != epoch) {
    hostEpoch = epoch;
    host = 0;
  }
}

} // namespace

int timed(const Work& work, int lane, uint64_t earliest, uint64_t* end) {
  start = earliest;
  const uint64_t lasts = tracing ? duration(work) : 0;
  const int status = work.run();
  *end = start + lasts;
  if (tracing) {
    spans.push_back(Span{lane, work.what, start, *end});
  }
  return status;
}

void begin(const Work& work, uint64_t earliest, Meeting& meeting) {
  start = earliest;
  meeting.start = earliest;
  meeting.done = work.begin();
}

bool isDone(const Meeting& meeting) {
  start = meeting.start;
  return meeting.done();
}

uint64_t endOf(const Work& work, int lane, const Meeting& meeting) {
  isDone(meeting);
  const uint64_t end = start + (tracing ? duration(work) : 0);
  if (tracing) {
    spans.push_back(Span{lane, work.what, start, end});
  }
  return end;
}

uint64_t startTime() { return start; }

void startNotBefore(uint64_t time) { start = std::max(start, time); }

uint64_t hostCalls() {
  enterEpoch();
  host += speeds.call;
  return static_cast<uint64_t>(host);
}

void hostWaited(uint64_t until) {
  enterEpoch();
  host = std::max(host, static_cast<double>(until));
}

void setClock(bool on) {
  tracing = on;
  epoch++;
  spans.clear();
  for (Stream* s : streams) {
    s->now = 0;
  }
}

void resetClock() {
  setClock(false);
  speeds = usual();
}

} // namespace standin

using namespace standin;

// Sets all clocks to 0, forgets the spans, and keeps such from now on, or not. The device must be idle.
EXPORT void standin_clock(int on) {
  Lock lock(mutex);
  setClock(on != 0);
}

// What the device can do, until the next reset: see Speeds.
EXPORT void standin_speeds(double flops, double memory, double link, double latency, double overhead, double call) {
  Lock lock(mutex);
  speeds = {flops, memory, link, latency, overhead, call};
}

// When the last operation that has run ended, in nanoseconds.
EXPORT unsigned long long standin_clock_end() {
  Lock lock(mutex);
  uint64_t last = 0;
  for (const Span& s : spans) {
    last = std::max(last, s.end);
  }
  return last;
}

// Nanoseconds for which operations whose names begin with a text ran, added up.
EXPORT unsigned long long standin_clock_busy(const char* prefix) {
  Lock lock(mutex);
  const std::string text = prefix;
  uint64_t sum = 0;
  for (const Span& s : spans) {
    sum += std::string(s.what).compare(0, text.size(), text) == 0 ? s.end - s.start : 0;
  }
  return sum;
}

namespace {

std::string table;

} // namespace

// The spans, one a line: stream, name, start, end.
EXPORT const char* standin_spans() {
  Lock lock(mutex);
  table.clear();
  for (const Span& s : spans) {
    table += std::to_string(s.lane) + "\t" + s.what + "\t" + std::to_string(s.start) + "\t" + std::to_string(s.end) + "\n";
  }
  return table.c_str();
}

// Writes the spans as a Chrome trace.
EXPORT int standin_trace(const char* path) {
  Lock lock(mutex);
  FILE* file = std::fopen(path, "w");
  if (file == nullptr) {
    return 1;
  }
  std::fputs("{\"traceEvents\":[", file);
  const char* comma = "\n";
  for (const Span& s : spans) {
    std::fprintf(file, "%s{\"name\":\"%s\",\"ph\":\"X\",\"pid\":0,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f}", comma, s.what, s.lane, s.start / 1e3,
                 (s.end - s.start) / 1e3);
    comma = ",\n";
  }
  std::fputs("\n]}\n", file);
  return std::fclose(file);
}
