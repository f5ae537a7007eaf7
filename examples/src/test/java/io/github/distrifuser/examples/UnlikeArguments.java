package io.github.distrifuser.examples;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * run_sdxl with other options on one rank: {@code RANK OPTION VALUE OPTIONS...}, where that rank
 * alone gets OPTION with VALUE, after the others.
 */
public final class UnlikeArguments {
  private UnlikeArguments() {}

  public static void main(String[] args) {
    List<String> all = new ArrayList<>(Arrays.asList(args).subList(3, args.length));
    if (args[0].equals(System.getenv("RANK"))) {
      all.addAll(Arrays.asList(args).subList(1, 3));
    }
    RunSdxl.main(all.toArray(new String[0]));
  }
}
