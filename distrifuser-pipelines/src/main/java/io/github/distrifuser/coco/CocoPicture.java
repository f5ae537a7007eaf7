package io.github.distrifuser.coco;

import java.util.List;

/**
 * A picture of a captions file.
 *
 * @param file its file name, empty where the captions file names none
 * @param captions at least one
 */
public record CocoPicture(String file, List<String> captions) {

  /** Copies the captions. */
  public CocoPicture {
    captions = List.copyOf(captions);
    if (captions.isEmpty()) {
      throw new IllegalArgumentException("a picture without captions: " + file);
    }
  }

  /** The caption that the original takes for the picture of this number, 0 for the first. */
  public String prompt(int number) {
    return captions.get(number % captions.size());
  }
}
