/**
 * How ranks exchange tensors that lie on GPUs: by NCCL where each rank has a GPU of its own, by
 * copies within the JVM where ranks that are threads share some. Bytes of the host, failures and
 * departures stay with the communicator of the hosts.
 *
 * <p>All of a rank's communication is on one stream, in the order of the calls; events order it
 * with the operators' stream, and the host waits for neither.
 */
@NullMarked
package io.github.distrifuser.cuda.comm;

import org.jspecify.annotations.NullMarked;
