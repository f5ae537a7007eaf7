package io.github.distrifuser.backend;

import io.github.distrifuser.tensor.DType;
import io.github.distrifuser.tensor.Runs;
import io.github.distrifuser.tensor.Shape;
import io.github.distrifuser.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** What can be asked of the arguments of one call; every message names operator and argument. */
final class CallChecks {
  private final String operator;
  private final @Nullable PreparedWeight weight;
  private final DType dtype;

  CallChecks(String operator, @Nullable PreparedWeight weight, DType dtype) {
    this.operator = operator;
    this.weight = weight;
    this.dtype = dtype;
  }

  /** Open, of the activations' type, of this rank. */
  void rank(String role, Tensor t, String expected, int least, int most) {
    typed(role, t, dtype, expected);
    if (t.shape().rank() < least || t.shape().rank() > most) {
      throw mismatch(role, dtype + expected, t);
    }
  }

  /** Open, of the activations' type, of this rank, with this last dimension. */
  void lastDim(String role, Tensor t, String lead, int least, int most, long last) {
    int rank = t.shape().rank();
    if (rank < least || rank > most || t.shape().dim(-1) != last || t.dtype() != dtype) {
      throw mismatch(role, dtype + "[" + lead + ", " + last + "]", t);
    }
    open(role, t);
  }

  void shape(String role, Tensor t, Shape expected) {
    shape(role, t, dtype, expected);
  }

  void shape(String role, Tensor t, DType type, Shape expected) {
    if (t.dtype() != type || !t.shape().equals(expected)) {
      throw mismatch(role, type + expected.toString(), t);
    }
    open(role, t);
  }

  private void typed(String role, Tensor t, DType type, String expected) {
    if (t.dtype() != type) {
      throw mismatch(role, type + expected, t);
    }
    open(role, t);
  }

  void open(String role, Tensor t) {
    if (t.storage().isClosed()) {
      throw new IllegalStateException(prefix(role) + t + " was closed");
    }
  }

  /** The weight must have this rank. */
  void weightRank(int rank, String expected) {
    if (weight != null && weight.shape().rank() != rank) {
      throw bad("weight", "expected " + expected + ", found " + weight.shape());
    }
  }

  /** The weight must have this shape. */
  void weightShape(Shape expected) {
    if (weight != null && !weight.shape().equals(expected)) {
      throw bad("weight", "expected " + expected + ", found " + weight.shape());
    }
  }

  void dense(String role, Tensor t) {
    if (!t.isDense()) {
      throw bad(role, "expected a dense tensor, found " + t);
    }
  }

  /** Dense within each batch entry. */
  void denseBatches(String role, Tensor t) {
    if (!t.isDenseFrom(Math.min(1, t.shape().rank()))) {
      throw bad(role, "expected gaps between batch entries at most, found " + t);
    }
  }

  /** Rows of adjacent elements at one distance within each batch entry. */
  void spacedRows(String role, Tensor t) {
    int last = t.shape().rank() - 1;
    boolean ok = t.shape().dim(last) <= 1 || t.stride(last) == 1;
    long distance = -1;
    for (int i = last - 1; i >= 1; i--) {
      long n = t.shape().dim(i);
      if (n > 1) {
        ok &= distance < 0 || t.stride(i) == distance;
        distance = t.stride(i) * n;
      }
    }
    if (!ok) {
      throw bad(role, "expected rows at one distance within each batch entry, found " + t);
    }
  }

  /** The output must not share an element with this input. */
  void disjoint(String role, Tensor in, Tensor out) {
    if (overlap(in, out)) {
      throw bad(role, in + " overlaps out " + out);
    }
  }

  /** The output must be this input exactly or share no element with it. */
  void sameOrDisjoint(String role, Tensor in, Tensor out) {
    if (!sameElements(in, out) && overlap(in, out)) {
      throw bad(role, in + " overlaps a part of out " + out);
    }
  }

  private static boolean sameElements(Tensor a, Tensor b) {
    if (a.storage() != b.storage() || a.byteOffset() != b.byteOffset()) {
      return false;
    }
    for (int i = 0; i < a.shape().rank(); i++) {
      if (a.shape().dim(i) > 1 && a.stride(i) != b.stride(i)) {
        return false;
      }
    }
    return true;
  }

  /** Walks both tensors' runs in memory order, and only where their extents meet. */
  private static boolean overlap(Tensor a, Tensor b) {
    if (a.storage() != b.storage() || a.shape().elements() == 0 || b.shape().elements() == 0) {
      return false;
    }
    if (end(a) <= a.byteOffset() || end(a) <= b.byteOffset() || end(b) <= a.byteOffset()) {
      return false;
    }
    Runs ra = Runs.of(a);
    Runs rb = Runs.of(b);
    long wa = a.dtype().bytes();
    long wb = b.dtype().bytes();
    long fromA = ra.next() * wa;
    long fromB = rb.next() * wb;
    while (true) {
      long toA = fromA + ra.length() * wa;
      long toB = fromB + rb.length() * wb;
      if (fromA < toB && fromB < toA) {
        return true;
      }
      if (toA <= fromB) {
        if (!ra.hasNext()) {
          return false;
        }
        fromA = ra.next() * wa;
      } else {
        if (!rb.hasNext()) {
          return false;
        }
        fromB = rb.next() * wb;
      }
    }
  }

  private static long end(Tensor t) {
    long last = 1;
    for (int i = 0; i < t.shape().rank(); i++) {
      last += (t.shape().dim(i) - 1) * t.stride(i);
    }
    return t.byteOffset() + last * t.dtype().bytes();
  }

  IllegalArgumentException mismatch(String role, String expected, Tensor actual) {
    return bad(role, "expected " + expected + ", found " + actual);
  }

  IllegalArgumentException bad(String role, String what) {
    return new IllegalArgumentException(prefix(role) + what);
  }

  private String prefix(String role) {
    return operator + (weight == null ? "" : " " + weight.name()) + ": " + role + ": ";
  }
}
