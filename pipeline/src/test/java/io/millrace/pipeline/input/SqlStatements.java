package io.millrace.pipeline.input;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** A program that runs the statements in a file with Flink SQL, one after the other. */
final class SqlStatements {
  private SqlStatements() {}

  public static void main(String[] files) throws Exception {
    TableEnvironment environment =
        TableEnvironment.create(EnvironmentSettings.newInstance().inBatchMode().build());
    for (String statement : Files.readString(Path.of(files[0])).split(";\\s*(\n|$)")) {
      if (!statement.isBlank()) {
        environment.executeSql(statement).await();
      }
    }
  }
}
