package io.github.distrifuser.plan;

/**
 * One call of a backend.
 *
 * @param kind what it does
 * @param name state-dict key of its weight, or the operator's name where it has none
 * @param macs multiply-accumulates
 * @param bytes what it reads and writes at least: inputs, weights and outputs once each
 */
public record Operator(OperatorKind kind, String name, long macs, long bytes) {}
