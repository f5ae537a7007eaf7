package io.github.distrifuser.plan;

import io.github.distrifuser.tensor.DType;

/** How long a rank's device takes for what the rank does. */
public interface DeviceModel {

  /** For tables. */
  String name();

  /** Seconds of an operator that nothing else slows down. */
  double seconds(Operator operator, DType dtype);

  /**
   * Seconds that an operation between ranks takes away from computing, whether or not the rank
   * waits for it.
   */
  double seconds(RankEvent.Post post);

  /**
   * Seconds from when what a rank waits for is there until it goes on, during which it computes
   * nothing.
   */
  double resumeSeconds();

  /** How many ranks compute at full speed at a time; more share the time. */
  double concurrentRanks();
}
