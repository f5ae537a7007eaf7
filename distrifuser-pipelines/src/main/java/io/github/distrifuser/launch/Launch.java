package io.github.distrifuser.launch;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;

/**
 * The class that the launcher script starts in every JVM: it sets up the {@link ParentWatch} and
 * runs the main method of the class that its first argument names, with the arguments that follow.
 *
 * <p>Exit status: what the main chooses; 2 when there is no such main; 1 when it throws, after the
 * stack trace and a line {@code error: ...} on standard error.
 */
public final class Launch {

  private Launch() {}

  /**
   * Runs a main.
   *
   * @param args a class name, then that class's arguments
   */
  public static void main(String[] args) {
    if (args.length == 0) {
      exit(2, "no main class given");
    }
    ParentWatch.startFromEnvironment();
    Method main = findMain(args[0]);
    try {
      main.invoke(null, (Object) Arrays.copyOfRange(args, 1, args.length));
    } catch (InvocationTargetException e) {
      String message = CommandLineTool.message(e.getCause());
      e.getCause().printStackTrace();
      TorchErrorFile.write(e.getCause(), message);
      exit(1, message);
    } catch (IllegalAccessException | LinkageError e) {
      exit(1, "cannot run " + args[0] + ": " + e);
    }
  }

  private static Method findMain(String className) {
    try {
      Class<?> type = Class.forName(className, false, Launch.class.getClassLoader());
      Method main = type.getMethod("main", String[].class);
      if (!Modifier.isStatic(main.getModifiers())) {
        throw exit(2, "the method main of " + className + " is not static");
      }
      // A public main of a class that is not public runs too, as it does under `java`.
      main.setAccessible(true);
      return main;
    } catch (ClassNotFoundException e) {
      throw exit(2, "there is no class " + className + " on the class path");
    } catch (NoSuchMethodException e) {
      throw exit(2, "the class " + className + " has no method public static void main(String[])");
    } catch (LinkageError e) {
      throw exit(1, "cannot load the class " + className + ": " + e);
    }
  }

  /** Ends the JVM; declared to return something so that callers can throw it. */
  private static IllegalStateException exit(int status, String message) {
    System.err.println("error: " + message.lines().findFirst().orElse(""));
    System.exit(status);
    return new IllegalStateException(message);
  }
}
