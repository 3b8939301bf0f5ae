package io.millrace.operators.adapt;

import io.millrace.svft.method.AdapterMethod;
import java.io.Serializable;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What each domain trains with: the settings of the most specific rule that is for it. A name is
 * more specific than any prefix, and a longer prefix than a shorter one.
 *
 * <p>It holds settings for each rule, never for each domain. Equal settings are one object.
 */
public final class DomainRules implements Serializable {
  private static final long serialVersionUID = 1;

  private final DomainSettings others;
  private final HashMap<String, DomainSettings> names = new HashMap<>();
  private final HashMap<String, DomainSettings> prefixes = new HashMap<>();
  private final LinkedHashSet<DomainSettings> all = new LinkedHashSet<>();

  /** Without rules: all domains have the same settings. */
  public DomainRules(DomainSettings all) {
    this(all, Map.of());
  }

  /**
   * @param general of domains that no rule is for
   * @param rules of each pattern, complete: what a rule leaves open has been filled in
   */
  public DomainRules(DomainSettings general, Map<DomainPattern, DomainSettings> rules) {
    Map<DomainSettings, DomainSettings> known = new HashMap<>();
    DomainSettings rest = general;
    Map<DomainPattern, DomainSettings> inOrder = new TreeMap<>(rules);
    for (DomainPattern pattern : inOrder.keySet()) {
      rest = pattern.isForAll() ? rules.get(pattern) : rest;
    }
    others = rest;
    known.put(others, others);
    all.add(others);
    inOrder.forEach(
        (pattern, settings) -> {
          if (!pattern.isForAll()) {
            DomainSettings one = known.computeIfAbsent(settings, each -> each);
            all.add(one);
            if (pattern.isForOne()) {
              names.put(pattern.text(), one);
            } else {
              prefixes.put(pattern.prefix(), one);
            }
          }
        });
  }

  /** The settings of a domain. */
  public DomainSettings of(String domain) {
    if (all.size() == 1) {
      return others;
    }
    DomainSettings own = names.get(domain);
    if (own != null) {
      return own;
    }
    if (!prefixes.isEmpty()) {
      for (int end = domain.lastIndexOf('/'); end > 0; end = domain.lastIndexOf('/', end - 1)) {
        DomainSettings below = prefixes.get(domain.substring(0, end));
        if (below != null) {
          return below;
        }
      }
    }
    return others;
  }

  /** The settings of domains that no rule names by name or prefix. */
  public DomainSettings others() {
    return others;
  }

  /** All that differ, those of {@link #others} first. */
  public List<DomainSettings> all() {
    return List.copyOf(all);
  }

  /** The adapter methods that are trained, each once, that of {@link #others} first. */
  public List<AdapterMethod> methods() {
    return all.stream().map(each -> each.training().method()).distinct().toList();
  }
}
