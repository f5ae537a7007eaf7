// What the parts of the device share, and what tests say of it as a whole.
#include "queue.hpp"

#include <algorithm>
#include <map>

namespace standin {

int driverVersion = 13010;
int runtimeVersion = 13010;
long cudnnVersion = 91900;
long cublasVersion = 130200;
int ncclVersion = 22903;
int refusals = 0;
long counts[COUNTS];

std::recursive_mutex mutex;

namespace {

std::map<std::string, int> objects;
std::string reports;
std::string answer;
int devices = 1;
thread_local int device = 0;
std::map<int, Order> orders; // by rank of NCCL

} // namespace

int entered() {
  Lock lock(mutex);
  return failureOf(device);
}

void report(const std::string& what) {
  Lock lock(mutex);
  if (reports.size() < 4000) {
    reports += what + "\n";
  }
}

Order& orderFor(int rank) {
  Lock lock(mutex);
  return orders[rank];
}

int deviceCount() { return devices; }

int setDevice(int d) {
  if (d < 0 || d >= devices || d >= MOST_DEVICES) {
    return INVALID_DEVICE;
  }
  device = d;
  return SUCCESS;
}

int currentDevice() { return device; }

void counted(const char* kind, int change) {
  Lock lock(mutex);
  objects[kind] += change;
}

} // namespace standin

using namespace standin;

// --- what tests call ---

// Forgets errors and orders for faults; memory and handles stay.
EXPORT void standin_reset() {
  Lock lock(mutex);
  for (int d = 0; d < MOST_DEVICES; d++) {
    failureOf(d) = SUCCESS;
  }
  orders.clear();
  reports.clear();
  refusals = 0;
  devices = 1;
  driverVersion = runtimeVersion = 13010;
  cudnnVersion = 91900;
  cublasVersion = 130200;
  ncclVersion = 22903;
  resetMemory();
  resetKernels();
  orderCaptureFault(0);
  resetClock();
  std::fill(counts, counts + COUNTS, 0);
  standin_seed(1);
}

// Forgets all memory and handles, too: what a test that failed has left behind is not the next one's.
EXPORT void standin_clear() {
  Lock lock(mutex);
  standin_reset();
  clearStreams();
  clearMemory();
  objects.clear();
  reports.clear();
}

// What callers did wrong since it was last asked, one a line.
EXPORT const char* standin_reports() {
  Lock lock(mutex);
  answer = reports;
  reports.clear();
  return answer.c_str();
}

// What has not been freed, one kind a line.
EXPORT const char* standin_leaks() {
  Lock lock(mutex);
  for (int d = 0; d < MOST_DEVICES; d++) {
    runUntilIdle(d);
  }
  answer = heldMemory() + heldStreams();
  for (const auto& [kind, n] : objects) {
    if (n != 0) {
      answer += std::to_string(n) + " " + kind + "\n";
    }
  }
  return answer.c_str();
}

EXPORT void standin_devices(int n) { devices = n; }

EXPORT void standin_refuse(int what) { refusals = what; }

EXPORT void standin_nccl_version(int version) { ncclVersion = version; }

// The n-th operation that a rank of NCCL posts from now on fails (1), or never ends (2).
EXPORT void standin_nccl(int rank, int kind, long n) {
  Lock lock(mutex);
  orders[rank] = Order{kind, n};
}

EXPORT void standin_versions(int driver, int runtime, long cublas, long cudnn) {
  driverVersion = driver;
  runtimeVersion = runtime;
  cublasVersion = cublas;
  cudnnVersion = cudnn;
}

EXPORT long standin_count(int what) { return counts[what]; }
