// The schedule: which stream does its next piece of work, by a seed, and what that is.
#include "queue.hpp"

#include <unistd.h>
#include <algorithm>

namespace standin {

namespace {

uint64_t dice = 1;
int sticky[MOST_DEVICES]; // the error that ended each device, or 0

bool runnable(const Stream* s) {
  if (s->queue.empty()) {
    return false;
  }
  const Operation& o = s->queue.front();
  switch (o.kind) {
  case Operation::WAIT:
    return o.event->completed >= o.version;
  case Operation::WORK:
    return !o.meeting.isBegun() || sticky[s->device] != SUCCESS || isDone(o.meeting);
  case Operation::GRAPH:
    return o.launched->left == 0 || sticky[s->device] != SUCCESS || !o.launched->readyNodes().empty();
  default:
    return true;
  }
}

// Whether what is going on needs others, so that to wait for them is no mistake.
bool meetingUnderWay() {
  return std::any_of(streams.begin(), streams.end(), [](Stream* s) {
    return !s->queue.empty() && (s->queue.front().meeting.isBegun() || (s->queue.front().launched != nullptr && s->queue.front().launched->isMeeting()));
  });
}

// Does work, or begins a meeting, unless the device has failed. True when it is over; it ended then.
bool perform(const Work& work, Meeting& meeting, int on, int lane, uint64_t earliest, uint64_t* end) {
  *end = earliest;
  if (sticky[on] != SUCCESS) {
    return true;
  }
  if (meeting.isBegun()) {
    *end = endOf(work, lane, meeting);
    return true;
  }
  for (const Touch& t : work.touches) {
    if (!allowed(work.what, t, work.anyDevice ? -1 : on)) {
      sticky[on] = ILLEGAL_ADDRESS;
      return true;
    }
  }
  if (work.begin) {
    begin(work, earliest, meeting);
    return false;
  }
  const int status = timed(work, lane, earliest, end);
  if (status != SUCCESS) {
    sticky[on] = status;
  }
  return true;
}

// Runs one node of the graph that a stream has come to.
void stepGraph(Stream* s) {
  const std::shared_ptr<Run> run = s->queue.front().launched;
  const uint64_t now = std::max(s->now, s->queue.front().issued);
  const std::vector<size_t> ready = run->readyNodes();
  if (sticky[s->device] != SUCCESS) {
    run->left = 0;
  } else if (!ready.empty()) {
    const size_t n = ready[next() % ready.size()];
    const Node& node = run->graph->nodes[n];
    if (perform(node.work, run->meetings[n], s->device, node.lane, run->startOf(n, now), &run->ends[n])) {
      run->done[n] = 1;
      run->left--;
    }
  }
  if (run->left == 0) {
    s->now = now;
    for (uint64_t end : run->ends) {
      s->now = std::max(s->now, end);
    }
    run->before = nullptr;
    s->queue.pop_front();
  }
}

void step(Stream* s) {
  Operation& front = s->queue.front();
  if (front.kind == Operation::GRAPH) {
    stepGraph(s);
    return;
  }
  s->now = std::max(s->now, front.issued);
  if (front.kind == Operation::WORK) {
    if (perform(front.work, front.meeting, s->device, s->number, s->now, &s->now)) {
      s->queue.pop_front();
    }
    return;
  }
  const Operation o = std::move(front);
  s->queue.pop_front();
  switch (o.kind) {
  case Operation::WAIT:
    s->now = std::max(s->now, o.event->time);
    break;
  case Operation::RECORD:
    o.event->completed = std::max(o.event->completed, o.version);
    o.event->time = s->now;
    break;
  case Operation::BIRTH:
    born(o.address);
    break;
  case Operation::DEATH:
    died(o.address);
    break;
  case Operation::WORK:
  case Operation::GRAPH:
    break;
  }
}

} // namespace

int& failureOf(int device) { return sticky[device]; }

int runUntil(Stream* target, int on, const std::function<bool()>& done) {
  const unsigned policy = next() % 3; // 0 the target as far as it can, 1 all others first, 2 any
  while (!done()) {
    std::vector<Stream*> ready;
    for (Stream* s : streams) {
      if (s != target && runnable(s)) {
        ready.push_back(s);
      }
    }
    Stream* chosen;
    const bool own = target != nullptr && runnable(target);
    if (own && (policy == 0 || ready.empty() || (policy == 2 && next() % (ready.size() + 1) == 0))) {
      chosen = target;
    } else if (!ready.empty()) {
      chosen = ready[next() % ready.size()];
    } else if (meetingUnderWay()) {
      mutex.unlock();
      usleep(100);
      mutex.lock();
      continue;
    } else {
      report("all streams wait for events that nobody will record");
      sticky[on] = UNKNOWN;
      return sticky[on];
    }
    step(chosen);
  }
  return sticky[on];
}

void runSome(unsigned steps) {
  for (unsigned i = 0; i < steps; i++) {
    std::vector<Stream*> ready;
    std::copy_if(streams.begin(), streams.end(), std::back_inserter(ready), runnable);
    if (ready.empty()) {
      return;
    }
    step(ready[next() % ready.size()]);
  }
}

namespace {

bool idle(int on) {
  return std::all_of(streams.begin(), streams.end(), [=](Stream* s) { return s->device != on || s->queue.empty(); });
}

} // namespace

int runUntilIdle(int on) {
  return runUntil(nullptr, on, [=] { return idle(on); });
}

uint64_t next() {
  dice ^= dice << 13;
  dice ^= dice >> 7;
  dice ^= dice << 17;
  return dice;
}

unsigned below(unsigned n) {
  Lock lock(mutex);
  return next() % n;
}

} // namespace standin

using namespace standin;

// Begins the schedule that belongs to a seed.
EXPORT void standin_seed(unsigned long long value) {
  Lock lock(mutex);
  dice = value * 2654435769u + 88172645463325252ull;
}
