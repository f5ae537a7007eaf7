package io.github.distrifuser.plan;

import io.github.distrifuser.backend.Backend;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

/**
 * Times a backend's operators. Each call goes to a backend that only describes it and then to the
 * one that computes, which must have computed when its method returns.
 */
final class OperatorTimer {
  private final Backend computing;
  private final StepRecorder recorder = new StepRecorder();
  private final RecordingBackend describing;
  private List<Double> seconds = new ArrayList<>();

  OperatorTimer(Backend computing) {
    this.computing = computing;
    this.describing = new RecordingBackend(computing.dtype(), recorder);
  }

  /** The backend to compute with. */
  Backend backend() {
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, this::invoke);
  }

  private Object invoke(Object proxy, Method method, Object[] args) throws Throwable {
    try {
      int before = recorder.events();
      if (method.getReturnType() == void.class) {
        method.invoke(describing, args);
      }
      long start = System.nanoTime();
      Object result = method.invoke(computing, args);
      if (recorder.events() > before) {
        seconds.add((System.nanoTime() - start) * 1e-9);
      }
      return result;
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  /** Begins a step, of which {@link #samples} then tells. */
  void beginStep() {
    recorder.beginStep();
    seconds = new ArrayList<>();
  }

  /** The operators of the step that was begun last, with the time that each took. */
  List<Sample> samples() {
    List<RankEvent> events = recorder.steps().get(recorder.step());
    List<Sample> all = new ArrayList<>();
    for (int i = 0; i < events.size(); i++) {
      all.add(new Sample(((RankEvent.Compute) events.get(i)).operator(), seconds.get(i)));
    }
    return all;
  }

  /** An operator and how long it took. */
  record Sample(Operator operator, double seconds) {}
}
