package io.github.distrifuser.plan;

import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a rank computes until it next posts or waits.
 *
 * @param seconds of the device alone
 * @param then a post or a wait; null at the end of a step
 */
record Segment(double seconds, @Nullable RankEvent then) {

  /** A step's events, with the time that each operator and each post takes of the device. */
  static List<Segment> of(List<RankEvent> events, DeviceModel device, DType dtype) {
    List<Segment> all = new ArrayList<>();
    double seconds = 0;
    for (RankEvent e : events) {
      if (e instanceof RankEvent.Compute c) {
        seconds += device.seconds(c.operator(), dtype);
        continue;
      }
      if (e instanceof RankEvent.Post p) {
        seconds += device.seconds(p);
      }
      all.add(new Segment(seconds, e));
      seconds = 0;
    }
    all.add(new Segment(seconds, null));
    return all;
  }
}
