package io.github.distrifuser.progress;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Platform;

/** Whether a person may be watching standard error. */
final class Terminal {
  private static final int STANDARD_ERROR = 2;
  private static final boolean WATCHED = System.getenv("TERM") != null && isTerminal();

  private Terminal() {}

  /** The C library's function, by its names on Unix and on Windows. */
  interface CLibrary extends Library {
    int isatty(int fd);
  }

  /** The same on Windows. */
  interface WindowsLibrary extends Library {
    @SuppressWarnings("checkstyle:methodname")
    int _isatty(int fd);
  }

  static boolean isWatched() {
    return WATCHED;
  }

  private static boolean isTerminal() {
    try {
      return Platform.isWindows()
          ? Native.load("msvcrt", WindowsLibrary.class)._isatty(STANDARD_ERROR) != 0
          : Native.load("c", CLibrary.class).isatty(STANDARD_ERROR) == 1;
    } catch (UnsatisfiedLinkError | NoClassDefFoundError e) {
      return System.console() != null; // less exact: before Java 22 it asks for the other streams
    }
  }
}
