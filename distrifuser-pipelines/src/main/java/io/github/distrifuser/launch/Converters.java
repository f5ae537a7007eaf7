package io.github.distrifuser.launch;

import io.github.distrifuser.backend.Winograd;
import io.github.distrifuser.parallel.Parallelism;
import io.github.distrifuser.parallel.SplitScheme;
import io.github.distrifuser.parallel.SyncMode;
import io.github.distrifuser.pipelines.OutputType;
import io.github.distrifuser.schedulers.SchedulerKind;
import io.github.distrifuser.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Stack;
import java.util.TreeMap;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.IParameterConsumer;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.TypeConversionException;

/** How the values of options are read. An unknown name is an error that lists the choices. */
final class Converters {
  private Converters() {}

  private static <T> T choose(Map<String, T> choices, String value) {
    T chosen = choices.get(value);
    if (chosen == null) {
      throw new TypeConversionException(
          "unknown value '" + value + "': choose from " + String.join(", ", choices.keySet()));
    }
    return chosen;
  }

  private static <T> T parse(Function<String, T> parser, String value) {
    try {
      return parser.apply(value);
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }

  static final class ModeOf implements ITypeConverter<RunOptions.Mode> {
    @Override
    public RunOptions.Mode convert(String v) {
      return choose(
          new TreeMap<>(
              Map.of(
                  "generation",
                  RunOptions.Mode.GENERATION,
                  "benchmark",
                  RunOptions.Mode.BENCHMARK)),
          v);
    }
  }

  static final class DTypeOf implements ITypeConverter<DType> {
    @Override
    public DType convert(String v) {
      return parse(DType::ofTorchName, v);
    }
  }

  static final class WinogradOf implements ITypeConverter<Winograd> {
    @Override
    public Winograd convert(String v) {
      return choose(new TreeMap<>(Map.of("auto", Winograd.AUTO, "off", Winograd.OFF)), v);
    }
  }

  static final class GeneratorOf implements ITypeConverter<PipelineOptions.GeneratorKind> {
    @Override
    public PipelineOptions.GeneratorKind convert(String v) {
      return choose(
          new TreeMap<>(
              Map.of(
                  "torch-cpu", PipelineOptions.GeneratorKind.TORCH_CPU,
                  "torch-cuda", PipelineOptions.GeneratorKind.TORCH_CUDA)),
          v);
    }
  }

  static final class OutputOf implements ITypeConverter<OutputType> {
    @Override
    public OutputType convert(String v) {
      return choose(new TreeMap<>(Map.of("pil", OutputType.IMAGE, "latent", OutputType.LATENT)), v);
    }
  }

  static final class SchedulerOf implements ITypeConverter<SchedulerKind> {
    @Override
    public SchedulerKind convert(String v) {
      return parse(SchedulerKind::ofCliName, v);
    }
  }

  static final class SyncModeOf implements ITypeConverter<SyncMode> {
    @Override
    public SyncMode convert(String v) {
      return parse(SyncMode::of, v);
    }
  }

  static final class ParallelismOf implements ITypeConverter<Parallelism> {
    @Override
    public Parallelism convert(String v) {
      return parse(Parallelism::of, v);
    }
  }

  static final class SplitSchemeOf implements ITypeConverter<SplitScheme> {
    @Override
    public SplitScheme convert(String v) {
      return parse(SplitScheme::of, v);
    }
  }

  /** One or two whole numbers; the last occurrence of the option wins. */
  static class OneOrTwo implements IParameterConsumer {
    int least() {
      return 1;
    }

    @Override
    public void consumeParameters(Stack<String> args, ArgSpec option, CommandSpec command) {
      String name = ((OptionSpec) option).longestName();
      List<Integer> numbers = new ArrayList<>();
      while (numbers.size() < 2 && !args.isEmpty()) {
        String next = args.peek();
        if (!next.matches("[+-]?\\d+")) {
          break;
        }
        args.pop();
        numbers.add(number(command.commandLine(), name, next));
      }
      if (numbers.size() < least()) {
        String found = args.isEmpty() ? "nothing" : "'" + args.peek() + "'";
        throw new CommandLine.ParameterException(
            command.commandLine(),
            name
                + " expects "
                + (least() == 1 ? "one or two whole numbers" : "two whole numbers")
                + ", found "
                + found);
      }
      option.setValue(numbers);
    }

    private static int number(CommandLine line, String name, String text) {
      try {
        return Integer.parseInt(text);
      } catch (NumberFormatException e) {
        throw new CommandLine.ParameterException(line, name + ": '" + text + "' is too large", e);
      }
    }
  }

  /** Two whole numbers. */
  static final class Two extends OneOrTwo {
    @Override
    int least() {
      return 2;
    }
  }

  /** One or more words, up to the next option; the last occurrence of the option wins. */
  static final class Words implements IParameterConsumer {
    @Override
    public void consumeParameters(Stack<String> args, ArgSpec option, CommandSpec command) {
      List<String> words = new ArrayList<>();
      while (!args.isEmpty() && !args.peek().startsWith("--")) {
        words.add(args.pop());
      }
      if (words.isEmpty()) {
        throw new CommandLine.ParameterException(
            command.commandLine(), ((OptionSpec) option).longestName() + " expects a value");
      }
      option.setValue(words);
    }
  }
}
