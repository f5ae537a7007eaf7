// Streams, the work that is put into them, and events.
#include "queue.hpp"

#include <algorithm>
#include <map>

namespace standin {

std::set<Stream*> streams;

namespace {

std::map<Event*, std::shared_ptr<Event>> events;
int streamNumbers = 0;

} // namespace

bool known(Stream* s) {
  if (streams.count(s) == 0) {
    report(s == nullptr ? "the default stream is used, which nothing orders" : "a stream is used that does not exist");
    return false;
  }
  return true;
}

bool known(Event* e) {
  if (events.count(e) == 0) {
    report("an event is used that does not exist");
    return false;
  }
  return true;
}

std::shared_ptr<Event> shared(Event* event) { return events.at(event); }

void push(Stream* stream, Operation operation) {
  operation.issued = hostCalls();
  stream->queue.push_back(std::move(operation));
}

namespace {

int give(Stream* stream, Work work) {
  Lock lock(mutex);
  if (!known(stream)) {
    return stream == nullptr ? implicit() : INVALID_HANDLE;
  }
  if (stream->capture != nullptr) {
    return record(stream, std::move(work));
  }
  Operation o{};
  o.kind = Operation::WORK;
  o.work = std::move(work);
  push(stream, std::move(o));
  return SUCCESS;
}

} // namespace

int enqueue(Stream* stream, const char* what, std::vector<Touch> touches, std::function<int()> run, Cost cost, bool anyDevice) {
  return give(stream, Work{what, std::move(touches), std::move(run), cost, anyDevice, nullptr});
}

int enqueueMeeting(Stream* stream, const char* what, std::vector<Touch> touches, std::function<Done()> begin, Cost cost) {
  return give(stream, Work{what, std::move(touches), nullptr, cost, false, std::move(begin)});
}

int deviceOf(Stream* stream) {
  Lock lock(mutex);
  return known(stream) ? stream->device : -1;
}

bool busy(const std::set<Stream*>& which) {
  Lock lock(mutex);
  const auto waits = [](const Operation& o) { return o.kind == Operation::WORK || o.kind == Operation::GRAPH; };
  return std::any_of(which.begin(), which.end(), [&](Stream* s) {
    return streams.count(s) != 0 && failureOf(s->device) == SUCCESS && std::any_of(s->queue.begin(), s->queue.end(), waits);
  });
}

int streamCreate(Stream** stream) {
  Lock lock(mutex);
  *stream = new Stream();
  (*stream)->device = currentDevice();
  (*stream)->number = ++streamNumbers;
  streams.insert(*stream);
  return SUCCESS;
}

int streamDestroy(Stream* stream) {
  Lock lock(mutex);
  if (!known(stream)) {
    return INVALID_HANDLE;
  }
  forgetCaptures(stream);
  runUntil(stream, stream->device, [&] { return stream->queue.empty(); });
  streams.erase(stream);
  delete stream;
  return SUCCESS;
}

int streamSynchronize(Stream* stream) {
  Lock lock(mutex);
  if (!known(stream)) {
    return INVALID_HANDLE;
  }
  if (stream->capture != nullptr) {
    return lose(stream, CAPTURE_UNSUPPORTED);
  }
  const int status = runUntil(stream, stream->device, [&] { return stream->queue.empty(); });
  hostWaited(stream->now);
  return status;
}

int deviceSynchronize() {
  Lock lock(mutex);
  const int status = runUntilIdle(currentDevice());
  for (Stream* s : streams) {
    if (s->device == currentDevice()) {
      hostWaited(s->now);
    }
  }
  return status;
}

int streamWait(Stream* stream, Event* event) {
  Lock lock(mutex);
  if (!known(stream) || !known(event)) {
    return stream == nullptr ? implicit() : INVALID_HANDLE;
  }
  int status = SUCCESS;
  if (!waitInCapture(stream, event, &status)) {
    Operation o{};
    o.kind = Operation::WAIT;
    o.event = shared(event);
    o.version = event->recorded;
    push(stream, std::move(o));
  }
  return status;
}

int eventCreate(Event** event) {
  Lock lock(mutex);
  auto made = std::make_shared<Event>();
  made->device = currentDevice();
  *event = made.get();
  events[made.get()] = made;
  return SUCCESS;
}

int eventDestroy(Event* event) {
  Lock lock(mutex);
  if (!known(event)) {
    return INVALID_HANDLE;
  }
  events.erase(event);
  return SUCCESS;
}

int eventRecord(Event* event, Stream* stream) {
  Lock lock(mutex);
  if (!known(stream) || !known(event)) {
    return stream == nullptr ? implicit() : INVALID_HANDLE;
  }
  if (event->device != stream->device) {
    report("an event of device " + std::to_string(event->device) + " is recorded on device " + std::to_string(stream->device));
    return INVALID_HANDLE;
  }
  int status = SUCCESS;
  if (!recordInCapture(event, stream, &status)) {
    Operation o{};
    o.kind = Operation::RECORD;
    o.event = shared(event);
    o.version = ++event->recorded;
    push(stream, std::move(o));
  }
  return status;
}

int eventSynchronize(Event* event) {
  Lock lock(mutex);
  if (!known(event)) {
    return INVALID_HANDLE;
  }
  if (event->capture != nullptr) {
    return CAPTURED_EVENT;
  }
  const uint64_t version = event->recorded;
  const int status = runUntil(nullptr, event->device, [&] { return event->completed >= version; });
  hostWaited(event->time);
  return status;
}

int eventQuery(Event* event) {
  Lock lock(mutex);
  if (!known(event)) {
    return INVALID_HANDLE;
  }
  if (event->capture != nullptr) {
    return CAPTURED_EVENT;
  }
  runSome(next() % 16);
  return event->completed >= event->recorded || failureOf(event->device) != SUCCESS ? failureOf(event->device) : NOT_READY;
}

void clearStreams() {
  for (Stream* s : streams) {
    s->queue.clear();
  }
  streams.clear(); // handles stay allocated, so that no new one is taken for an old one
  events.clear();
}

std::string heldStreams() {
  std::string answer;
  if (!streams.empty()) {
    answer += std::to_string(streams.size()) + " streams\n";
  }
  if (!events.empty()) {
    answer += std::to_string(events.size()) + " events\n";
  }
  return answer;
}

} // namespace standin
