package io.github.distrifuser.cuda;

import static org.bytedeco.cuda.global.cudnn.*;

import io.github.distrifuser.cuda.CudnnGraph.Descriptor;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.cuda.cudnn.cudnnContext;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.jspecify.annotations.Nullable;

/** A graph with the engine that runs it. */
final class CudnnPlan implements AutoCloseable {
  private final CudnnGraph graph;
  private final Descriptor configuration;
  private final Descriptor plan;
  private final long workspace;

  private CudnnPlan(CudnnGraph graph, Descriptor configuration, Descriptor plan) {
    this.graph = graph;
    this.configuration = configuration;
    this.plan = plan;
    this.workspace = plan.getLong(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  }

  /** Bytes that it needs beside its tensors. */
  long workspace() {
    return workspace;
  }

  /** What is looked for, and why nothing was found. */
  static final class Search {
    private final @Nullable cudnnContext handle;
    private final @Nullable Descriptor deviceProperties;
    private final boolean exact;
    private final StringBuilder reasons = new StringBuilder();
    private int configurations;

    /**
     * @param handle of the device at hand
     * @param exact whether engines are left out that convert floats to a narrower type
     */
    Search(cudnnContext handle, boolean exact) {
      this.handle = handle;
      this.deviceProperties = null;
      this.exact = exact;
    }

    /** For a device that is only described: plans can be made and not run. */
    Search(Descriptor deviceProperties, boolean exact) {
      this.handle = null;
      this.deviceProperties = deviceProperties;
      this.exact = exact;
    }

    /** Engine configurations that cuDNN named. */
    int configurations() {
      return configurations;
    }

    /** Why there is no plan. */
    String reasons() {
      return reasons.length() == 0 ? "no engine" : reasons.toString();
    }

    /**
     * The first plan that can be made, best engines first; it owns the graph.
     *
     * @return null where there is none; the graph is then closed
     */
    @Nullable CudnnPlan find(CudnnGraph graph) {
      CudnnPlan plan = findIn(graph);
      if (plan == null) {
        graph.close();
      }
      return plan;
    }

    private @Nullable CudnnPlan findIn(CudnnGraph graph) {
      Descriptor g = graph.operationGraph();
      try {
        if (handle != null) {
          g.pointers(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle);
        }
        g.complete();
      } catch (CudaException e) {
        reasons.append(e.getMessage());
        return null;
      }
      for (int mode : new int[] {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
        CudnnPlan found = find(graph, g, mode);
        if (found != null) {
          return found;
        }
      }
      return null;
    }

    private @Nullable CudnnPlan find(CudnnGraph owner, Descriptor graph, int mode) {
      List<Descriptor> found;
      try {
        found = candidates(graph, mode);
      } catch (CudaException e) {
        reasons.append(e.getMessage()).append("; ");
        return null;
      }
      CudnnPlan plan = null;
      for (Descriptor c : found) {
        if (plan == null) {
          plan = tryOne(owner, c);
        }
        if (plan == null || plan.configuration != c) {
          c.close();
        }
      }
      return plan;
    }

    private List<Descriptor> candidates(Descriptor graph, int mode) {
      try (Descriptor heuristics =
          new Descriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, "engine search")) {
        heuristics
            .descriptors(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
            .choice(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
        if (deviceProperties != null) {
          heuristics.descriptors(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, deviceProperties);
        }
        heuristics.complete();
        int n =
            (int)
                heuristics.get(
                    CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, new Address());
        List<Descriptor> all = new ArrayList<>();
        if (n == 0) {
          reasons.append(CudaErrors.dnnReason("no engine")).append("; ");
          return all;
        }
        try (PointerPointer<Pointer> list = new PointerPointer<>(n)) {
          for (int i = 0; i < n; i++) {
            Descriptor c =
                new Descriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, "engine configuration");
            all.add(c);
            list.put(i, c.handle());
          }
          int got =
              (int)
                  heuristics.get(
                      CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, n, list);
          configurations += got;
          while (all.size() > got) {
            all.remove(all.size() - 1).close();
          }
        }
        return all;
      }
    }

    private @Nullable CudnnPlan tryOne(CudnnGraph owner, Descriptor configuration) {
      if (!suits(configuration)) {
        reasons.append("an engine of lower precision or changing results; ");
        return null;
      }
      Descriptor plan = new Descriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, "execution plan");
      try {
        if (handle != null) {
          plan.pointers(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle);
        }
        plan.descriptors(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration).complete();
        return new CudnnPlan(owner, configuration, plan);
      } catch (CudaException e) {
        reasons.append(e.getMessage()).append("; ");
        plan.close();
        return null;
      }
    }

    /**
     * Results must not change from run to run, sums must be kept in floats, and floats must be
     * multiplied as floats.
     */
    private boolean suits(Descriptor configuration) {
      Set<Integer> notes = notes(configuration);
      return !notes.contains(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
          && !notes.contains(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)
          && !(exact && notes.contains(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS))
          && !(exact && notes.contains(CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
    }

    private static Set<Integer> notes(Descriptor configuration) {
      Set<Integer> notes = new TreeSet<>();
      try (Descriptor engine = new Descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, "engine");
          PointerPointer<Pointer> list = new PointerPointer<>(1);
          IntPointer values = new IntPointer((long) CUDNN_NUMERICAL_NOTE_TYPE_COUNT)) {
        list.put(0, engine.handle());
        configuration.get(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, list);
        long n =
            engine.get(
                CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                CUDNN_TYPE_NUMERICAL_NOTE,
                CUDNN_NUMERICAL_NOTE_TYPE_COUNT,
                values);
        for (int i = 0; i < n; i++) {
          notes.add(values.get(i));
        }
      }
      return notes;
    }
  }

  /**
   * Runs it on the handle's stream.
   *
   * @param ids numbers of the graph's tensors
   * @param addresses of each
   */
  void execute(cudnnContext handle, long[] ids, long[] addresses, long workspaceAddress) {
    try (Descriptor pack = new Descriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, "set of tensors");
        LongPointer pointers = new LongPointer(addresses);
        LongPointer space = new LongPointer(new long[] {workspaceAddress})) {
      pack.longs(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
          .addresses(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, addresses.length, pointers)
          .addresses(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, 1, space)
          .complete();
      CudaErrors.checkDnn(
          cudnnBackendExecute(handle, plan.handle(), pack.handle()), "cudnnBackendExecute");
    }
  }

  @Override
  public void close() {
    plan.close();
    configuration.close();
    graph.close();
  }
}
