package io.github.distrifuser.schedulers;

import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The schedulers that exist here, by their names on the command line and in diffusers. */
public enum SchedulerKind {
  DDIM("ddim", "DDIMScheduler", DDIMScheduler::new),
  EULER("euler", "EulerDiscreteScheduler", EulerDiscreteScheduler::new),
  DPM_SOLVER("dpm-solver", "DPMSolverMultistepScheduler", DPMSolverMultistepScheduler::new),
  PNDM("pndm", "PNDMScheduler", PNDMScheduler::new),
  EULER_ANCESTRAL(
      "euler_ancestral", "EulerAncestralDiscreteScheduler", EulerAncestralDiscreteScheduler::new),
  HEUN("heun", "HeunDiscreteScheduler", HeunDiscreteScheduler::new),
  LMS("lms", "LMSDiscreteScheduler", LMSDiscreteScheduler::new),
  UNIPC("unipc", "UniPCMultistepScheduler", UniPCMultistepScheduler::new),
  DDPM("ddpm", "DDPMScheduler", DDPMScheduler::new),
  LCM("lcm", "LCMScheduler", LCMScheduler::new),
  /** The one that the model's own configuration names. */
  DEFAULT("default", "", Schedulers::fromConfig);

  private final String cliName;
  private final String className;
  private final Function<Map<String, @Nullable Object>, Scheduler> builder;

  SchedulerKind(
      String cliName,
      String className,
      Function<Map<String, @Nullable Object>, Scheduler> builder) {
    this.cliName = cliName;
    this.className = className;
    this.builder = builder;
  }

  /** Value of {@code --scheduler}. */
  public String cliName() {
    return cliName;
  }

  /** Class in diffusers, as {@code _class_name} gives it; empty for {@link #DEFAULT}. */
  public String className() {
    return className;
  }

  Scheduler build(Map<String, @Nullable Object> config) {
    return builder.apply(config);
  }

  /** {@link #cliName()}. */
  @Override
  public String toString() {
    return cliName;
  }

  /**
   * Parses a value of {@code --scheduler}.
   *
   * @throws IllegalArgumentException for an unknown name, listing the choices
   */
  public static SchedulerKind ofCliName(String name) {
    for (SchedulerKind k : values()) {
      if (k.cliName.equals(name)) {
        return k;
      }
    }
    throw new IllegalArgumentException(
        "unknown scheduler '" + name + "': choose from " + list(SchedulerKind::cliName));
  }

  /**
   * The scheduler of a {@code _class_name}.
   *
   * @throws IllegalArgumentException for a class that does not exist here, listing those that do
   */
  public static SchedulerKind ofClassName(String name) {
    for (SchedulerKind k : values()) {
      if (!name.isEmpty() && k.className.equals(name)) {
        return k;
      }
    }
    throw new IllegalArgumentException(
        "unknown scheduler class '" + name + "': choose from " + list(SchedulerKind::className));
  }

  private static String list(Function<SchedulerKind, String> name) {
    return Arrays.stream(values())
        .map(name)
        .filter(s -> !s.isEmpty())
        .collect(Collectors.joining(", "));
  }
}
