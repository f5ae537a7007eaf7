package io.github.distrifuser.backend;

/**
 * A place to compute.
 *
 * @param kind {@code cpu} or {@code cuda}
 * @param index which of them, from 0
 */
public record Device(String kind, int index) {
  @Override
  public String toString() {
    return kind.equals("cpu") ? kind : kind + ":" + index;
  }
}
