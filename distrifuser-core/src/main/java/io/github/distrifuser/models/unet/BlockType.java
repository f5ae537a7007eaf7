package io.github.distrifuser.models.unet;

/** The blocks that a UNet may be made of, under diffusers' names. */
public enum BlockType {
  DOWN_BLOCK_2D("DownBlock2D", false),
  CROSS_ATTN_DOWN_BLOCK_2D("CrossAttnDownBlock2D", true),
  UP_BLOCK_2D("UpBlock2D", false),
  CROSS_ATTN_UP_BLOCK_2D("CrossAttnUpBlock2D", true);

  private final String className;
  private final boolean crossAttention;

  BlockType(String className, boolean crossAttention) {
    this.className = className;
    this.crossAttention = crossAttention;
  }

  /** Whether each of its resnets is followed by a transformer. */
  public boolean hasCrossAttention() {
    return crossAttention;
  }

  boolean isDown() {
    return this == DOWN_BLOCK_2D || this == CROSS_ATTN_DOWN_BLOCK_2D;
  }

  /** The type of that name, going down or up; any other is an error that lists the choices. */
  static BlockType of(String name, boolean down) {
    for (BlockType t : values()) {
      if (t.className.equals(name) && t.isDown() == down) {
        return t;
      }
    }
    throw new IllegalArgumentException(
        "unknown block type '"
            + name
            + "': choose from "
            + (down ? "DownBlock2D, CrossAttnDownBlock2D" : "UpBlock2D, CrossAttnUpBlock2D"));
  }
}
