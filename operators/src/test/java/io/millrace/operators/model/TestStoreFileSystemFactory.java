package io.millrace.operators.model;

import java.net.URI;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemFactory;
import org.apache.flink.core.fs.local.LocalFileSystem;

/** Local files under a scheme of their own, {@code teststore}, as a plugin would add one. */
public final class TestStoreFileSystemFactory implements FileSystemFactory {
  @Override
  public String getScheme() {
    return "teststore";
  }

  @Override
  public FileSystem create(URI uri) {
    return new LocalFileSystem();
  }
}
