// What waits in streams, and what captures make of it: shared by the files of the device alone, of which
// device.cpp, streams.cpp, schedule.cpp, memory.cpp, kernels.cpp, capture.cpp and clock.cpp are one each.
#ifndef STANDIN_QUEUE_HPP
#define STANDIN_QUEUE_HPP

#include "device.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace standin {

// Something to do: computing, or a meeting.
struct Work {
  const char* what;
  std::vector<Touch> touches;
  std::function<int()> run; // empty for a meeting
  Cost cost;
  bool anyDevice; // touches memory of other devices
  std::function<Done()> begin; // empty for what is no meeting
};

// A meeting that has begun, or one that has not.
struct Meeting {
  Done done;
  uint64_t start = 0;

  bool isBegun() const { return static_cast<bool>(done); }
};

// Work of a graph, behind other nodes.
struct Node {
  Work work;
  std::vector<size_t> after;
  int lane; // number of the stream that it was captured from
};

struct Capture {
  uint64_t id;
  int mode;
  std::thread::id thread;
  Stream* origin;
  bool lost = false;
  bool ended = false;
  std::set<Stream*> members;
  std::vector<Node> nodes;
};

struct CapturedGraph {
  std::vector<Node> nodes;
};

// One launch of a graph.
struct Run {
  std::shared_ptr<const CapturedGraph> graph;
  std::shared_ptr<Run> before; // launches of one executable follow each other
  std::vector<char> done;
  std::vector<uint64_t> ends; // on the simulated clock
  std::vector<Meeting> meetings;
  size_t left;

  explicit Run(std::shared_ptr<const CapturedGraph> g) : graph(std::move(g)), done(graph->nodes.size()), ends(graph->nodes.size()),
        meetings(graph->nodes.size()), left(graph->nodes.size()) {}
  // Nodes that can run now. Those of meetings are among them until they begin, and again when they are done.
  std::vector<size_t> readyNodes() const;
  uint64_t startOf(size_t node, uint64_t now) const;
  bool isMeeting() const;
};

struct Executable {
  std::shared_ptr<const CapturedGraph> graph;
  std::shared_ptr<Run> last;
};

struct Event {
  int device = 0;
  uint64_t recorded = 0; // times that a record was asked for
  uint64_t completed = 0; // the last that has been reached
  uint64_t time = 0; // when, on the simulated clock
  std::shared_ptr<Capture> capture; // that the last record was in, or null
  std::vector<size_t> after; // nodes that it stands for there
};

struct Operation {
  enum Kind { WORK, RECORD, WAIT, BIRTH, DEATH, GRAPH } kind;
  Work work;
  std::shared_ptr<Event> event;
  uint64_t version;
  void* address;
  std::shared_ptr<Run> launched;
  Meeting meeting;
  uint64_t issued; // when the host asked for it, on the simulated clock
};

struct Stream {
  int device = 0;
  std::deque<Operation> queue;
  int number = 0;
  uint64_t now = 0; // end of what ran last, on the simulated clock
  std::shared_ptr<Capture> capture;
  std::vector<size_t> after; // nodes that what comes next depends on
};

extern std::recursive_mutex mutex;
using Lock = std::lock_guard<std::recursive_mutex>;

extern std::set<Stream*> streams;

bool known(Stream* stream);
bool known(Event* event);
std::shared_ptr<Event> shared(Event* event);
void push(Stream* stream, Operation operation);
void clearStreams();
// What has not been freed, one kind a line.
std::string heldStreams();

// --- the schedule ---

constexpr int MOST_DEVICES = 64;
// The error that ended a device, or 0.
int& failureOf(int device);
// Runs streams until a condition holds; gives the device's error. The target is the stream that is waited for, or null. Where only others can help, which
// may be other threads, the lock is let go for a while; nobody may hold it twice.
int runUntil(Stream* target, int on, const std::function<bool()>& done);
int runUntilIdle(int on);
// Runs up to so many steps, of any stream.
void runSome(unsigned steps);
uint64_t next();

// --- memory ---

// Whether a range is memory that a device may reach; any device where it is -1.
bool allowed(const char* what, const Touch& t, int by);
// A stream has come to an allocation, and to the end of one.
void born(void* address);
void died(void* address);
// Whether tests have ordered that device memory be short now.
bool faulted();
// What the touched ranges have, in bytes, each taken to the end of its allocation where an operation names only its start.
double bytesOf(const std::vector<Touch>& touches);
void resetMemory();
void clearMemory();
// What has not been freed, one kind a line.
std::string heldMemory();

// --- kernels ---

void resetKernels();

// --- captures ---

// Adds work to the capture that a stream is in.
int record(Stream* stream, Work work);
// An event's record or wait where one of the two is in a capture: true where it has been dealt with, with its status.
bool recordInCapture(Event* event, Stream* stream, int* status);
bool waitInCapture(Stream* stream, Event* event, int* status);
// Gives up a stream's capture.
int lose(Stream* stream, int status);
// The status of work for the stream that nothing orders; the thread's captures are lost.
int implicit();
void forgetCaptures(Stream* stream);
void orderCaptureFault(long n);

// --- the simulated clock ---

// Runs work that may start at a time, and says when it ended.
int timed(const Work& work, int lane, uint64_t earliest, uint64_t* end);
// Begins a meeting at a time; whether it is done; and when it ended.
void begin(const Work& work, uint64_t earliest, Meeting& meeting);
bool isDone(const Meeting& meeting);
uint64_t endOf(const Work& work, int lane, const Meeting& meeting);
// Sets all clocks to 0; whether what runs from now on is listed. Then the speeds, too, are as at the start.
void setClock(bool on);
void resetClock();
// The calling thread's clock: after one more call; and after it has waited until a time.
uint64_t hostCalls();
void hostWaited(uint64_t until);

} // namespace standin

EXPORT void standin_seed(unsigned long long value);

#endif
