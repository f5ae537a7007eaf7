package io.github.distrifuser.backend;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.distrifuser.backend.OperatorRig.Weights;
import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import io.github.distrifuser.weights.WeightTensor;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Arguments that must be refused, in words that help. */
public interface ArgumentCases extends OperatorCases {

  private Tensor tensor(long... dims) {
    Tensor t = rig().own(rig().tested.allocate(dims));
    rig().tested.fill(t, 0);
    return t;
  }

  /** The call fails, and its message has all of these words: expected and actual shapes. */
  private static void refused(Executable call, String... words) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, call);
    for (String word : words) {
      assertTrue(String.valueOf(e.getMessage()).contains(word), word + " in: " + e.getMessage());
    }
  }

  @Test
  default void linearRefusesWrongShapes() {
    Backend b = rig().tested;
    PreparedWeight w = rig().linear(8, 6).tested();
    Tensor x = tensor(2, 5, 8);
    Tensor out = tensor(2, 5, 6);
    Activation none = Activation.NONE;
    refused(() -> b.linear(tensor(2, 5, 7), w, none, null, out), "linear", "8", "[2, 5, 7]");
    refused(() -> b.linear(x, w, none, null, tensor(2, 6, 6)), "[2, 5, 6]", "[2, 6, 6]");
    refused(() -> b.linear(x, w, none, null, tensor(10, 6)), "[2, 5, 6]", "[10, 6]");
    refused(() -> b.linear(x, w, none, tensor(2, 5, 8), out), "[2, 5, 6]", "[2, 5, 8]");
    DType other = b.dtype() == DType.F32 ? DType.F16 : DType.F32;
    Tensor typed = rig().own(b.allocate(other, Shape.of(2, 5, 8)));
    refused(() -> b.linear(typed, w, none, null, out), b.dtype().name(), other + "[2, 5, 8]");
  }

  @Test
  default void gegluRefusesWrongShapes() {
    Backend b = rig().tested;
    Weights w = rig().linear(8, 6, 6);
    Tensor x = tensor(2, 5, 8);
    refused(() -> b.geglu(x, w.tested(), tensor(2, 5, 12)), "[2, 5, 6]", "[2, 5, 12]");
    refused(() -> b.geglu(tensor(2, 5, 9), w.tested(), tensor(2, 5, 6)), "8", "[2, 5, 9]");
    PreparedWeight whole = rig().linear(8, 12).tested();
    refused(() -> b.geglu(x, whole, tensor(2, 5, 6)), "6");
  }

  @Test
  default void convolutionRefusesWrongShapes() {
    Backend b = rig().tested;
    PreparedWeight w = rig().conv(DType.F32, true, 4, 6, 3).tested();
    Conv2dGeometry g = Conv2dGeometry.of(1, 1);
    Tensor x = tensor(2, 5, 7, 4);
    Tensor out = tensor(2, 5, 7, 6);
    refused(
        () -> b.conv2d(tensor(2, 5, 7, 3), w, g, null, null, out), "conv2d", "4", "[2, 5, 7, 3]");
    refused(
        () -> b.conv2d(x, w, g, null, null, tensor(2, 5, 6, 6)), "[2, 5, 7, 6]", "[2, 5, 6, 6]");
    refused(
        () -> b.conv2d(x, w, Conv2dGeometry.of(2, 1), null, null, out),
        "[2, 3, 4, 6]",
        "[2, 5, 7, 6]");
    refused(() -> b.conv2d(x, w, g, tensor(2, 4), null, out), "[2, 6]", "[2, 4]");
    refused(() -> b.conv2d(x, w, g, null, tensor(2, 5, 7, 4), out), "[2, 5, 7, 6]");
    refused(
        () -> b.conv2d(tensor(1, 1, 7, 4), w, Conv2dGeometry.of(1, 0), null, null, out),
        "[1, 1, 7, 4]");
    Tensor columns = tensor(2, 5, 7, 9).slice(-1, 0, 4);
    refused(() -> b.conv2d(columns, w, g, null, null, out), "[2, 5, 7, 4]");
  }

  @Test
  default void normsRefuseWrongShapes() {
    Backend b = rig().tested;
    PreparedWeight w = rig().norm(DType.F32, 12).tested();
    Activation none = Activation.NONE;
    Tensor x = tensor(2, 3, 5, 12);
    Tensor moments = rig().own(b.allocate(DType.F32, Shape.of(2, 4, 2)));
    b.fill(moments, 1);
    refused(() -> b.groupNorm(x, w, 5, 1e-5f, none, x), "5", "[2, 3, 5, 12]");
    refused(
        () -> b.groupNorm(x, w, 4, 1e-5f, none, tensor(2, 5, 3, 12)),
        "[2, 3, 5, 12]",
        "[2, 5, 3, 12]");
    Tensor narrow = tensor(2, 3, 5, 8);
    refused(() -> b.groupNorm(narrow, w, 4, 1e-5f, none, narrow), "8", "12");
    refused(() -> b.groupMoments(x, 3, moments), "[2, 3, 2]", "[2, 4, 2]");
    refused(() -> b.groupNormWith(x, moments, w, 6, 1e-5f, none, x), "[2, 6, 2]", "[2, 4, 2]");
    refused(() -> b.layerNorm(tensor(2, 11), w, 1e-5f, tensor(2, 11)), "12", "[2, 11]");
    refused(() -> b.layerNorm(tensor(2, 12), w, 1e-5f, tensor(3, 12)), "[2, 12]", "[3, 12]");
  }

  @Test
  default void combiningRefusesWrongMoments() {
    Backend b = rig().tested;
    Tensor all = rig().own(b.allocate(DType.F32, Shape.of(3, 2, 4, 2)));
    Tensor own = rig().own(b.allocate(DType.F32, Shape.of(2, 4, 2)));
    Tensor out = rig().own(b.allocate(DType.F32, Shape.of(2, 4, 2)));
    MomentRule rule = MomentRule.FRESH;
    refused(
        () -> b.combineMoments(rule, all, own, new double[] {0.5, 0.5}, 0, out),
        "[2, 2, 4, 2]",
        "[3, 2, 4, 2]");
    refused(() -> b.combineMoments(rule, all, all, new double[3], 0, out), "[3, 2, 4, 2]");
    refused(() -> b.combineMoments(rule, all, own, new double[3], 3, out), "0 to 2", "3");
  }

  @Test
  default void attentionRefusesWrongShapes() {
    Backend b = rig().tested;
    Tensor q = tensor(2, 5, 12);
    Tensor k = tensor(2, 9, 12);
    Tensor out = tensor(2, 5, 12);
    refused(() -> b.attention(q, k, k, 5, 1, false, out), "attention", "5", "[2, 5, 12]");
    refused(() -> b.attention(q, tensor(2, 9, 8), k, 4, 1, false, out), "[2, 9, 8]");
    refused(() -> b.attention(q, tensor(1, 9, 12), k, 4, 1, false, out), "[1, 9, 12]");
    refused(() -> b.attention(q, k, tensor(2, 8, 12), 4, 1, false, out), "[2, 8, 12]");
    refused(() -> b.attention(q, k, k, 4, 1, false, tensor(2, 9, 12)), "[2, 5, 12]", "[2, 9, 12]");
  }

  @Test
  default void elementwiseOperatorsRefuseWrongShapes() {
    Backend b = rig().tested;
    Tensor x = tensor(2, 3, 5, 4);
    Tensor y = tensor(2, 3, 5, 3);
    refused(() -> b.activation(x, Activation.SILU, y), "[2, 3, 5, 4]", "[2, 3, 5, 3]");
    refused(() -> b.addScaled(x, y, 1, x), "[2, 3, 5, 4]", "[2, 3, 5, 3]");
    refused(() -> b.scale(x, 1, y), "[2, 3, 5, 4]", "[2, 3, 5, 3]");
    refused(() -> b.copy(x, y), "[2, 3, 5, 4]", "[2, 3, 5, 3]");
    refused(() -> b.upsampleNearest2x(x, tensor(2, 4, 10, 4)), "[2, 6, 10, 4]", "[2, 4, 10, 4]");
    refused(() -> b.concatChannels(List.of(x, y), tensor(2, 3, 5, 8)), "[2, 3, 5, 7]");
    refused(() -> b.concatChannels(List.of(x, tensor(2, 3, 4, 3)), tensor(2, 3, 5, 7)), "4, 3]");
    refused(() -> b.read(x, new float[119], 0), "120", "119");
    refused(() -> b.write(new float[121], 2, x), "120", "119");
  }

  @Test
  default void embeddingRefusesWrongIds() {
    Backend b = rig().tested;
    PreparedWeight table = rig().embedding(DType.F32, 9, 4).tested();
    Tensor out = tensor(1, 2, 4);
    refused(() -> b.embedding(new int[] {1, 9}, table, out), "9", "8");
    refused(() -> b.embedding(new int[] {-1, 2}, table, out), "-1");
    refused(() -> b.embedding(new int[3], table, out), "[1, 2, 4]", "3");
    refused(() -> b.embedding(new int[2], table, tensor(1, 2, 5)), "[1, 2, 5]", "4");
  }

  @Test
  default void overlappingOutputsAreRefused() {
    Backend b = rig().tested;
    Tensor all = tensor(2, 8, 6);
    Tensor low = all.slice(1, 0, 5);
    Tensor high = all.slice(1, 3, 8);
    refused(() -> b.scale(low, 2, high), "overlap");
    PreparedWeight square = rig().linear(6, 6).tested();
    refused(() -> b.linear(low, square, Activation.NONE, null, low), "overlap");
    refused(() -> b.attention(all, all, all, 2, 1, false, all), "overlap");
    Tensor left = all.slice(-1, 0, 2);
    Tensor right = all.slice(-1, 2, 4);
    b.attention(left, left, left, 1, 1, false, right); // interleaved, and sharing nothing
  }

  @Test
  default void wrongWeightsAreRefused() {
    Backend b = rig().tested;
    WeightTensor five = OperatorRig.weight("a.weight", DType.F32, Shape.of(5), new float[5]);
    WeightTensor matrix = OperatorRig.weight("a.weight", DType.F32, Shape.of(3, 2), new float[6]);
    WeightTensor other = OperatorRig.weight("b.weight", DType.F32, Shape.of(3, 4), new float[12]);
    refused(() -> b.prepareLinear("a", List.of(five), null), "test.safetensors", "a.weight", "[5]");
    refused(() -> b.prepareLinear("a", List.of(matrix, other), null), "b.weight", "[3, 4]");
    refused(() -> b.prepareLinear("a", List.of(matrix), List.of(five)), "[3]", "[5]");
    refused(() -> b.prepareConv2d("a", matrix, null), "a.weight", "[3, 2]");
    refused(() -> b.prepareNorm("a", five, matrix), "[5]", "[3, 2]");
    refused(() -> b.prepareEmbedding("a", five), "a.weight", "[5]");
  }
}
