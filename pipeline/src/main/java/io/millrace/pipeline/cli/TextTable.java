package io.millrace.pipeline.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** A table for a terminal, with columns as wide as their content. */
final class TextTable {
  private final List<List<String>> rows = new ArrayList<>();
  private final Set<String> right;

  /**
   * @param right titles of the right-aligned columns
   */
  TextTable(List<String> titles, Set<String> right) {
    rows.add(titles);
    this.right = right;
  }

  /** Adds a row with as many cells as there are titles. */
  void add(List<String> row) {
    rows.add(row);
  }

  /** The titles, and a line for each row. */
  List<String> lines() {
    int[] widths = new int[rows.get(0).size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    return rows.stream().map(row -> line(row, widths)).toList();
  }

  private String line(List<String> row, int[] widths) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < widths.length; i++) {
      String padding = " ".repeat(widths[i] - row.get(i).length());
      boolean onTheRight = right.contains(rows.get(0).get(i));
      line.append(i == 0 ? "" : "  ")
          .append(onTheRight ? padding : "")
          .append(row.get(i))
          .append(onTheRight ? "" : padding);
    }
    return line.toString().stripTrailing();
  }
}
