/**
 * The HTTP interface: Jetty with its limits, one endpoint per path, JSON in and out, and the token
 * for decisions.
 *
 * <p>Only conversion between HTTP and the other packages belongs here. Endpoints never block. Only
 * the root package uses this one.
 */
package io.millrace.inference.http;
