package io.github.distrifuser.launch;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/**
 * What the mains share: {@code -} and {@code _} are the same in an option's name, the last of a
 * repeated option wins, and an error is one line {@code error: ...} on standard error, with exit
 * status 2 for a wrong command line and 1 for anything else.
 */
final class CommandLineTool {
  private static final String HEADLESS = "java.awt.headless";

  private CommandLineTool() {}

  /** What a main does once its options are read. */
  @FunctionalInterface
  interface Body<O> {
    void run(O options);
  }

  /**
   * Reads the options and runs.
   *
   * @return the exit status
   */
  static <O extends ToolOptions> int run(String name, O options, String[] args, Body<O> body) {
    if (System.getProperty(HEADLESS) == null) {
      System.setProperty(HEADLESS, "true"); // mains draw charts and have no windows
    }
    CommandLine line =
        new CommandLine(options)
            .setCommandName(name)
            .setOverwrittenOptionsAllowed(true)
            .setAllowOptionsAsOptionParameters(true)
            .setExpandAtFiles(false)
            .setUsageHelpAutoWidth(true);
    try {
      CommandLine.ParseResult parsed = line.parseArgs(normalized(line, args));
      if (parsed.isUsageHelpRequested()) {
        line.usage(System.out);
        return 0;
      }
      options.check();
    } catch (CommandLine.ParameterException | IllegalArgumentException e) {
      error(message(e));
      return 2;
    }
    try {
      body.run(options);
      return 0;
    } catch (UsageException e) {
      report(options, e);
      return 2;
    } catch (RuntimeException | Error e) {
      report(options, e);
      return 1;
    }
  }

  /** An option that turns out to be wrong only once the run has begun. */
  static final class UsageException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    UsageException(IllegalArgumentException cause) {
      super(cause.getMessage(), cause);
    }
  }

  private static void report(ToolOptions options, Throwable e) {
    if (options.verbose()) {
      e.printStackTrace();
    }
    String message = message(e);
    error(message);
    TorchErrorFile.write(e, message);
  }

  private static void error(String message) {
    System.err.println("error: " + message);
    System.err.flush();
  }

  /** One line that says what is wrong. */
  static String message(Throwable e) {
    String m = e.getMessage();
    if (e instanceof OutOfMemoryError) {
      m = "out of memory: " + m + " (--max_memory sets the Java heap's size)";
    } else if (m == null || m.isBlank()) {
      m = e.getClass().getName();
    } else if (!(e instanceof IllegalArgumentException || fromHere(e))) {
      m = e.getClass().getSimpleName() + ": " + m;
    }
    return m.strip().replaceAll("\\s*\\R\\s*", " ");
  }

  /** Whether the exception's own words are meant for people. */
  private static boolean fromHere(Throwable e) {
    return e.getClass().getName().startsWith("io.github.distrifuser.")
        || e instanceof CommandLine.ParameterException
        || e.getClass() == java.io.UncheckedIOException.class
        || e.getClass() == IllegalStateException.class
        || e.getClass() == java.util.concurrent.CancellationException.class;
  }

  /** Options' names with underscores; values stay as they are. */
  private static String[] normalized(CommandLine line, String[] args) {
    Map<String, OptionSpec> known = line.getCommandSpec().optionsMap();
    List<String> out = new ArrayList<>();
    for (int i = 0; i < args.length; i++) {
      String arg = args[i];
      int equals = arg.indexOf('=');
      String given = equals < 0 ? arg : arg.substring(0, equals);
      String name = given.startsWith("--") ? "--" + given.substring(2).replace('-', '_') : given;
      OptionSpec option = known.get(name);
      if (option == null) {
        out.add(arg);
        continue;
      }
      out.add(equals < 0 ? name : name + arg.substring(equals));
      int values = equals < 0 ? option.arity().min() : option.arity().min() - 1;
      for (int v = 0; v < values && i + 1 < args.length; v++) {
        out.add(args[++i]);
      }
    }
    return out.toArray(new String[0]);
  }
}
