package io.github.distrifuser.metrics;

import java.util.List;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.QRDecomposition;
import org.ejml.interfaces.decomposition.SingularValueDecomposition_F64;

/**
 * The distance of two sets of features, taken as normal distributions: {@code |m1 - m2|^2 + tr(S1)
 * + tr(S2) - 2 tr(sqrt(S1 S2))} with unbiased covariances.
 *
 * <p>With {@code Si = Ai' Ai} the last trace is the sum of the singular values of {@code A1 A2'},
 * which needs no root of a matrix and keeps its accuracy where covariances are singular, as those
 * of fewer pictures than features are.
 */
final class FrechetDistance {
  private FrechetDistance() {}

  /**
   * The distance.
   *
   * @param a features of at least two pictures, all of one width
   * @param b the same
   */
  static double of(List<float[]> a, List<float[]> b) {
    if (a.size() < 2 || b.size() < 2) {
      throw new IllegalArgumentException("FID needs at least two pictures in each folder");
    }
    double[] meanA = mean(a);
    double[] meanB = mean(b);
    DMatrixRMaj rootA = root(a, meanA);
    DMatrixRMaj rootB = root(b, meanB);
    double distance = 0;
    for (int i = 0; i < meanA.length; i++) {
      distance += (meanA[i] - meanB[i]) * (meanA[i] - meanB[i]);
    }
    return distance + squares(rootA) + squares(rootB) - 2 * nuclearNorm(rootA, rootB);
  }

  private static double[] mean(List<float[]> features) {
    double[] mean = new double[features.get(0).length];
    for (float[] f : features) {
      for (int i = 0; i < mean.length; i++) {
        mean[i] += f[i];
      }
    }
    for (int i = 0; i < mean.length; i++) {
      mean[i] /= features.size();
    }
    return mean;
  }

  /** A matrix whose product with its transpose, from the left, is the covariance. */
  private static DMatrixRMaj root(List<float[]> features, double[] mean) {
    int n = features.size();
    int d = mean.length;
    DMatrixRMaj m = new DMatrixRMaj(n, d);
    double scale = 1 / Math.sqrt(n - 1);
    for (int r = 0; r < n; r++) {
      for (int c = 0; c < d; c++) {
        m.data[r * d + c] = (features.get(r)[c] - mean[c]) * scale;
      }
    }
    if (n <= d) {
      return m;
    }
    QRDecomposition<DMatrixRMaj> qr = DecompositionFactory_DDRM.qr(n, d);
    qr.decompose(m);
    return qr.getR(null, true);
  }

  private static double squares(DMatrixRMaj m) {
    double sum = 0;
    for (double v : m.data) {
      sum += v * v;
    }
    return sum;
  }

  private static double nuclearNorm(DMatrixRMaj a, DMatrixRMaj b) {
    DMatrixRMaj product = new DMatrixRMaj(a.numRows, b.numRows);
    CommonOps_DDRM.multTransB(a, b, product);
    SingularValueDecomposition_F64<DMatrixRMaj> svd =
        DecompositionFactory_DDRM.svd(product.numRows, product.numCols, false, false, true);
    if (!svd.decompose(product)) {
      throw new IllegalStateException("the singular values of the covariances do not converge");
    }
    double sum = 0;
    double[] values = svd.getSingularValues();
    for (int i = 0; i < Math.min(product.numRows, product.numCols); i++) {
      sum += values[i];
    }
    return sum;
  }
}
