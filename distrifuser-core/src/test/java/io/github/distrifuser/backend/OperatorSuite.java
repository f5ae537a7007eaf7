package io.github.distrifuser.backend;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/**
 * Every operator of a backend against the reference backend and against torch, on seeded random
 * data of odd sizes and with every layout that {@link Backend} allows. A backend's test extends
 * this once for each type of activations:
 *
 * <pre>{@code
 * class MyBackendF32Test extends OperatorSuite {
 *   @Override
 *   public Backend open() {
 *     return new MyProvider().create(new BackendOptions(DType.F32, 2, 0));
 *   }
 * }
 * }</pre>
 */
public abstract class OperatorSuite
    implements LinearCases,
        ConvolutionCases,
        NormCases,
        MomentCases,
        AttentionCases,
        ElementCases,
        MemoryCases,
        ArgumentCases,
        TorchCases {
  private OperatorRig rig;

  /** A new backend, closed after each test. */
  @Override
  public abstract Backend open();

  /** How far results may be from the reference's. */
  protected Tolerance tolerance(Backend backend) {
    return Tolerance.of(backend.dtype());
  }

  @BeforeEach
  final void openRig() {
    Backend backend = open();
    rig = new OperatorRig(backend, tolerance(backend));
  }

  @AfterEach
  final void closeRig() {
    rig.close();
  }

  @Override
  public final OperatorRig rig() {
    return rig;
  }
}
