package io.github.distrifuser.examples;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/**
 * A main for the launcher's tests. It prints what it was given, then does what its arguments say to
 * the rank that they name: {@code R:exit:STATUS}, {@code R:error:STATUS:MESSAGE}, {@code R:throw},
 * {@code R:kill} (by signal 9), {@code R:sleep}, {@code R:stubborn} (sleeps, and does not end on a
 * signal that can be caught). {@code R} may be {@code all}.
 */
public final class LauncherProbe {

  private LauncherProbe() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    String rank = System.getenv("RANK");
    System.out.println("args " + String.join("|", args));
    for (String name :
        List.of(
            "RANK",
            "WORLD_SIZE",
            "LOCAL_RANK",
            "LOCAL_WORLD_SIZE",
            "MASTER_ADDR",
            "MASTER_PORT",
            "DISTRIFUSER_SECRET",
            "DISTRIFUSER_THREADS",
            "DISTRIFUSER_LOCAL_RANKS")) {
      System.out.println(name + "=" + System.getenv(name));
    }
    System.out.println("heap=" + Runtime.getRuntime().maxMemory());
    System.err.println("pid=" + ProcessHandle.current().pid());
    for (String arg : args) {
      List<String> order = Arrays.asList(arg.split(":", 4));
      if (order.size() > 1 && (order.get(0).equals("all") || order.get(0).equals(rank))) {
        obey(order);
      }
    }
  }

  private static void obey(List<String> order) throws IOException, InterruptedException {
    switch (order.get(1)) {
      case "exit" -> System.exit(Integer.parseInt(order.get(2)));
      case "error" -> {
        System.err.println("error: " + order.get(3));
        System.exit(Integer.parseInt(order.get(2)));
      }
      case "throw" -> throw new IllegalStateException("as told");
      case "kill" -> {
        new ProcessBuilder("bash", "-c", "kill -KILL " + ProcessHandle.current().pid())
            .start()
            .waitFor();
        sleep();
      }
      case "sleep" -> sleep();
      case "stubborn" -> {
        Runtime.getRuntime().addShutdownHook(new Thread(LauncherProbe::sleepOn));
        sleep();
      }
      case "progress" -> {
        System.err.print("\rstep 1\rstep 2\rstep 3\n");
        System.err.print("no line end");
      }
      default -> throw new IllegalArgumentException(order.toString());
    }
  }

  private static void sleep() throws InterruptedException {
    Thread.sleep(600_000);
  }

  private static void sleepOn() {
    try {
      sleep();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
