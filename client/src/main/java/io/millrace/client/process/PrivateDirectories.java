package io.millrace.client.process;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Directories that only their owner can enter. What users send lies in them, in files of libraries
 * that make them readable to everyone.
 */
public final class PrivateDirectories {
  private static final Logger LOG = LoggerFactory.getLogger(PrivateDirectories.class);
  private static final Set<PosixFilePermission> OWNER =
      PosixFilePermissions.fromString("rwx------");
  private static final int STICKY = 01000;

  private PrivateDirectories() {}

  /**
   * Makes a directory where it is missing, and closes it to others where it is there. A directory
   * that is meant for everyone, as /tmp is, stays as it is, and so does one of another owner.
   *
   * @return the directory
   */
  public static Path create(Path directory) throws IOException {
    boolean posix = directory.getFileSystem().supportedFileAttributeViews().contains("posix");
    FileAttribute<?>[] attributes =
        posix
            ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(OWNER)}
            : new FileAttribute<?>[0];
    Files.createDirectories(directory, attributes);
    if (posix && !Files.getPosixFilePermissions(directory).equals(OWNER) && !isShared(directory)) {
      try {
        Files.setPosixFilePermissions(directory, OWNER);
      } catch (FileSystemException e) {
        LOG.warn("others may read {}: it belongs to another user", directory, e);
      }
    }
    return directory;
  }

  private static boolean isShared(Path directory) throws IOException {
    return directory.getFileSystem().supportedFileAttributeViews().contains("unix")
        && ((int) Files.getAttribute(directory, "unix:mode") & STICKY) != 0;
  }
}
