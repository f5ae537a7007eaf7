package io.github.distrifuser.schedulers;

/** Which integral DPM-Solver discretises: {@code algorithm_type}. */
public enum AlgorithmType {
  /** Of the noise prediction. */
  DPMSOLVER("dpmsolver", false, false),
  /** Of the data prediction; the default. */
  DPMSOLVER_PP("dpmsolver++", true, false),
  /** Of the noise prediction, with fresh noise in every step. */
  SDE_DPMSOLVER("sde-dpmsolver", false, true),
  /** Of the data prediction, with fresh noise in every step. */
  SDE_DPMSOLVER_PP("sde-dpmsolver++", true, true);

  private final String configName;
  private final boolean predictsData;
  private final boolean stochastic;

  AlgorithmType(String configName, boolean predictsData, boolean stochastic) {
    this.configName = configName;
    this.predictsData = predictsData;
    this.stochastic = stochastic;
  }

  /** True where the solver works on the clean sample rather than on the noise. */
  public boolean predictsData() {
    return predictsData;
  }

  /** True where every step draws noise. */
  public boolean stochastic() {
    return stochastic;
  }

  /** As configurations spell it. */
  @Override
  public String toString() {
    return configName;
  }
}
