package io.github.distrifuser.pipelines;

import java.util.List;

/**
 * How long the parts of one generation took, in seconds, and what it exchanged.
 *
 * @param encodeSeconds encoding the prompts, loading of the text encoders included
 * @param stepSeconds each denoising step
 * @param decodeSeconds decoding the pictures, loading of the VAE included; 0 where none was decoded
 * @param bytesSentPerStep payload bytes that each local rank sent to others in each step
 * @param waitSecondsPerStep time that each local rank was blocked on others in each step
 */
public record RunReport(
    double encodeSeconds,
    List<Double> stepSeconds,
    double decodeSeconds,
    List<List<Long>> bytesSentPerStep,
    List<List<Double>> waitSecondsPerStep) {}
