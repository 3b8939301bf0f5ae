package io.millrace.benchmarks.report;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** A table of measurements in Markdown; rows and columns in the order in which they came. */
public final class MarkdownTable {
  private final String rowHead;
  private final Map<String, Map<String, String>> rows = new LinkedHashMap<>();
  private final Set<String> columns = new LinkedHashSet<>();

  /**
   * @param rowHead above the names of the rows
   */
  public MarkdownTable(String rowHead) {
    this.rowHead = rowHead;
  }

  public void put(String row, String column, String cell) {
    columns.add(column);
    rows.computeIfAbsent(row, r -> new LinkedHashMap<>()).put(column, cell);
  }

  public boolean isEmpty() {
    return rows.isEmpty();
  }

  /** The table in Markdown; a cell without a measurement is empty. */
  @Override
  public String toString() {
    StringBuilder table = new StringBuilder("| " + rowHead + " |");
    columns.forEach(column -> table.append(' ').append(column).append(" |"));
    table.append("\n|---|").append(String.join("", Collections.nCopies(columns.size(), "---:|")));
    table.append('\n');
    rows.forEach(
        (row, cells) -> {
          table.append("| ").append(row).append(" |");
          for (String column : columns) {
            String cell = cells.get(column);
            table.append(cell == null ? " |" : " " + cell + " |");
          }
          table.append('\n');
        });
    return table.toString();
  }
}
