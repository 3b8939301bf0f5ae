package io.millrace.inference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.millrace.testing.Await;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import org.openqa.selenium.By;
import org.openqa.selenium.StaleElementReferenceException;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.logging.LogEntry;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;

/** The machine's own Chromium, without a window. */
final class Browser implements AutoCloseable {
  private static final Path CHROMIUM = Path.of("/usr/bin/chromium");
  private static final Path DRIVER = Path.of("/usr/bin/chromedriver");
  private static final Path SCREENSHOTS = Path.of("target", "screenshots");

  private final ChromeDriver driver;

  private Browser(ChromeDriver driver) {
    this.driver = driver;
  }

  /** Skips the test, and says so, where there is no Chromium. */
  static void requireChromium() {
    boolean there = Files.isExecutable(CHROMIUM) && Files.isExecutable(DRIVER);
    if (!there) {
      System.err.println(
          "There is no Chromium: the tests of the page are skipped. Install chromium and"
              + " chromium-driver.");
    }
    assumeTrue(there, "neither " + CHROMIUM + " nor " + DRIVER + " may be missing");
  }

  /**
   * Starts it.
   *
   * @param profile a fresh directory
   */
  static Browser start(Path profile) {
    // Selenium's own search for a driver would ask the network.
    System.setProperty("SE_OFFLINE", "true");
    ChromeOptions options = new ChromeOptions();
    options.setBinary(CHROMIUM.toFile());
    options.addArguments(
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
        "--no-first-run",
        "--user-data-dir=" + profile);
    LoggingPreferences logs = new LoggingPreferences();
    logs.enable(LogType.BROWSER, Level.ALL);
    options.setCapability("goog:loggingPrefs", logs);
    ChromeDriverService service =
        new ChromeDriverService.Builder().usingDriverExecutable(DRIVER.toFile()).build();
    Browser browser = new Browser(new ChromeDriver(service, options));
    browser.size(1280, 900, 1);
    return browser;
  }

  void size(int width, int height, int scale) {
    driver.executeCdpCommand(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", scale, "mobile", false));
  }

  void dark(boolean dark) {
    driver.executeCdpCommand(
        "Emulation.setEmulatedMedia",
        Map.of(
            "features",
            List.of(Map.of("name", "prefers-color-scheme", "value", dark ? "dark" : "light"))));
  }

  void open(String address) {
    driver.get("about:blank");
    driver.get(address);
  }

  WebElement find(String css) {
    return driver.findElement(By.cssSelector(css));
  }

  List<WebElement> all(String css) {
    return driver.findElements(By.cssSelector(css));
  }

  /** The text of an element; empty where it is not shown. */
  String text(String css) {
    for (int i = 0; i < 5; i++) {
      try {
        return all(css).stream().findFirst().map(WebElement::getText).orElse("");
      } catch (StaleElementReferenceException e) {
        // It was replaced meanwhile.
      }
    }
    return "";
  }

  /** Waits until an element shows a text. */
  void awaitText(String css, String part) throws Exception {
    Await.value(css + " says " + part, () -> text(css), text -> text.contains(part));
  }

  Object script(String body) {
    return driver.executeScript(body);
  }

  /** Whatever the browser had to complain of since the last call: refused content, errors. */
  List<String> complaints() {
    return driver.manage().logs().get(LogType.BROWSER).getAll().stream()
        .map(LogEntry::getMessage)
        .toList();
  }

  void assertNoComplaints() {
    assertThat(complaints()).isEmpty();
  }

  /**
   * Keeps a picture of what is to be seen, in target/screenshots and, with
   * -Dscreenshots.write=true, for the documentation.
   */
  void picture(String name) throws IOException {
    String encoded =
        (String)
            driver.executeCdpCommand("Page.captureScreenshot", Map.of("format", "png")).get("data");
    byte[] png = Base64.getDecoder().decode(encoded);
    Files.createDirectories(SCREENSHOTS);
    Files.write(SCREENSHOTS.resolve(name + ".png"), png);
    if (Boolean.getBoolean("screenshots.write")) {
      Path docs = Path.of("..", "docs", "images");
      Files.createDirectories(docs);
      Files.write(docs.resolve("page-" + name + ".png"), png);
      assertThat(png.length).as(name).isLessThan(150 << 10);
    }
  }

  @Override
  public void close() {
    driver.quit();
  }
}
