package io.github.distrifuser.weights;

import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Rules for {@link StateDict#renamed(UnaryOperator)}: old spellings of today's names. */
public final class Renames {
  private static final Pattern OLD_ATTENTION =
      Pattern.compile("(.*\\battentions\\.\\d+\\.)(query|key|value|proj_attn)(\\.weight|\\.bias)");
  private static final Map<String, String> ATTENTION =
      Map.of("query", "to_q", "key", "to_k", "value", "to_v", "proj_attn", "to_out.0");

  private Renames() {}

  /**
   * The attention of older VAEs: {@code query}, {@code key}, {@code value}, {@code proj_attn}
   * become {@code to_q}, {@code to_k}, {@code to_v}, {@code to_out.0}.
   */
  public static UnaryOperator<String> oldVaeAttention() {
    return name -> {
      Matcher m = OLD_ATTENTION.matcher(name);
      return m.matches() ? m.group(1) + ATTENTION.get(m.group(2)) + m.group(3) : name;
    };
  }

  /** Drops a prefix where a name has it, as in {@code text_model.}. */
  public static UnaryOperator<String> withoutPrefix(String prefix) {
    return name -> name.startsWith(prefix) ? name.substring(prefix.length()) : name;
  }
}
