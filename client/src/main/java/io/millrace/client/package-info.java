/**
 * What all processes of Millrace share. {@code process}: conventions of command lines and
 * processes; {@code settings}: declared settings, which use {@code process} for the user's
 * mistakes; {@code kafka}: the connection and the records on it, as {@code settings} say; {@code
 * rollout}: the topic {@code rollouts} over that connection. The arrows run in this order only.
 * This package itself holds no class.
 */
package io.millrace.client;
