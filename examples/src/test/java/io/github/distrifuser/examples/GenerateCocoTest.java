package io.github.distrifuser.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Runs generate_coco as a user does, and ends it where it hurts. */
@EnabledOnOs(OS.LINUX)
class GenerateCocoTest {
  private static final int PICTURES = 6;

  @TempDir Path folder;
  private int runs;

  private Process start(Path output, int ranks, String... launcher) throws IOException {
    Path captions = folder.resolve("captions.txt");
    Files.writeString(captions, "a house\na tree\na hill\nsnow\na lake\ndusk\n");
    List<String> args = new ArrayList<>(Arrays.asList(launcher));
    args.addAll(List.of("--nproc_per_node", "" + ranks, "--threads_per_rank", "1"));
    args.addAll(List.of("generate_coco", "--model", Scene.tinyModel()));
    args.addAll(List.of("--captions", captions.toString(), "--output_root", output.toString()));
    args.addAll(List.of("--num_inference_steps", "3", "--warmup_steps", "0"));
    args.addAll(List.of("--image_size", "64", "--no_split_batch"));
    return run().start(Map.of("DISTRIFUSER_JAVA_OPTS", "-XX:TieredStopAtLevel=1"), args);
  }

  private Distrirun run() throws IOException {
    return new Distrirun(Files.createDirectories(folder.resolve("run" + runs)));
  }

  private void finish(Process process) throws Exception {
    Distrirun.Result result = run().finish(process);
    assertEquals(0, result.status(), result.err().toString());
    runs++;
  }

  /** Sends a signal to the launcher and, where it cannot be passed on, to the ranks. */
  private void end(Process process, String signal) throws Exception {
    List<ProcessHandle> ranks = process.descendants().toList();
    if (signal.equals("KILL")) {
      ranks.forEach(ProcessHandle::destroyForcibly);
    }
    new ProcessBuilder("bash", "-c", "kill -" + signal + " " + process.pid()).start().waitFor();
    process.waitFor();
    for (ProcessHandle rank : ranks) {
      rank.onExit().get();
    }
    runs++;
  }

  /** All of a folder's files, by name, hidden ones too. */
  private static Map<String, String> files(Path folder) throws IOException {
    Map<String, String> all = new TreeMap<>();
    if (Files.isDirectory(folder)) {
      try (Stream<Path> s = Files.list(folder)) {
        for (Path p : s.toList()) {
          all.put(p.getFileName().toString(), HexFormat.of().formatHex(Files.readAllBytes(p)));
        }
      }
    }
    return all;
  }

  private static void awaitFiles(Process process, Path output, int count) throws Exception {
    while (process.isAlive()) {
      String[] names = output.toFile().list();
      if (names != null && names.length >= count) {
        return;
      }
      Thread.sleep(1);
    }
  }

  @Test
  void whatWasEndedAnywhereEndsWithTheSameFiles() throws Exception {
    Path whole = folder.resolve("whole");
    finish(start(whole, 2, "--threads"));
    Map<String, String> expected = files(whole);
    assertEquals(PICTURES, expected.size());

    Path output = folder.resolve("output");
    Process first = start(output, 2, "--threads");
    awaitFiles(first, output, 1); // a temporary file, or the first picture
    end(first, "KILL");
    Process second = start(output, 2, "--threads");
    awaitFiles(second, output, 3);
    end(second, "INT");
    // As after a power cut: a picture that is there in part, and a write that never ended.
    Path damaged = output.resolve("0000.png");
    byte[] bytes = Files.readAllBytes(damaged);
    Files.write(damaged, Arrays.copyOf(bytes, bytes.length - 5));
    Files.write(output.resolve(".0004.png.00000000-0000-0000-0000-000000000000"), bytes);
    finish(start(output, 2, "--threads"));
    assertEquals(expected, files(output));
  }

  @Test
  @Tag("slow")
  void ranksAsProcessesMayBeKilledAtAnyMoment() throws Exception {
    Path whole = folder.resolve("whole");
    finish(start(whole, 2));
    Map<String, String> expected = files(whole);
    Path output = folder.resolve("output");
    Random random = new Random(1);
    for (int i = 0; i < 8; i++) {
      Process p = start(output, 2);
      awaitFiles(p, output, Math.min(PICTURES, 1 + files(output).size()));
      Thread.sleep(random.nextInt(200));
      end(p, i % 2 == 0 ? "KILL" : "INT");
    }
    finish(start(output, 2));
    assertEquals(expected, files(output));
  }

  @Test
  void picturesOfOtherSettingsAreNotMixed() throws Exception {
    Path output = folder.resolve("output");
    finish(start(output, 1));
    Map<String, String> before = files(output);
    Process other = start(output, 2, "--threads");
    Distrirun.Result result = run().finish(other);
    assertEquals(1, result.status());
    assertEquals(1, result.errors().size(), result.err().toString());
    String error = result.errors().get(0);
    assertTrue(error.contains("0000.png") && error.contains("another ranks"), error);
    assertEquals(before, files(output));
  }
}
