package io.github.distrifuser.coco;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiPredicate;
import java.util.stream.Stream;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.io.MessageColumnIO;
import org.apache.parquet.io.RecordReader;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;

/**
 * Reads the parquet files that the hub makes of the dataset HuggingFaceM4/COCO: its column {@code
 * image} of {@code bytes} and {@code path}, and its column {@code sentences_raw}.
 */
public final class CocoParquet {
  private static final String IMAGE = "image";
  private static final String SENTENCES = "sentences_raw";

  private CocoParquet() {}

  /** A row: an encoded picture and its captions. */
  public record Row(byte[] image, List<String> captions) {}

  /**
   * The files to read: the one given, or all {@code .parquet} files of a folder in the order of
   * their names.
   *
   * @throws CocoException where there is none
   */
  public static List<Path> files(Path path) {
    if (!Files.isDirectory(path)) {
      return List.of(path);
    }
    try (Stream<Path> all = Files.list(path)) {
      List<Path> files =
          all.filter(f -> f.getFileName().toString().endsWith(".parquet")).sorted().toList();
      if (files.isEmpty()) {
        throw new CocoException(path + ": holds no .parquet files");
      }
      return files;
    } catch (IOException e) {
      throw new CocoException(path + ": cannot be read: " + e, e);
    }
  }

  /**
   * Hands on each row of a file in turn.
   *
   * @param use gets the row's number in the file; returns false to end
   * @return whether all rows were read
   * @throws CocoException naming the file that cannot be read or lacks a column
   */
  public static boolean read(Path file, BiPredicate<Long, Row> use) {
    ParquetReadOptions options =
        ParquetReadOptions.builder(new PlainParquetConfiguration())
            .withCodecFactory(new PageCodecs())
            .build();
    try (ParquetFileReader reader = ParquetFileReader.open(new LocalInputFile(file), options)) {
      MessageType all = reader.getFileMetaData().getSchema();
      MessageType schema =
          new MessageType("rows", column(file, all, IMAGE), column(file, all, SENTENCES));
      reader.setRequestedSchema(schema);
      MessageColumnIO columns = new ColumnIOFactory().getColumnIO(schema);
      long number = 0;
      for (PageReadStore p = reader.readNextRowGroup(); p != null; p = reader.readNextRowGroup()) {
        RecordReader<Group> rows = columns.getRecordReader(p, new GroupRecordConverter(schema));
        for (long i = 0; i < p.getRowCount(); i++) {
          if (!used(use, number, row(file, number, rows.read()))) {
            return false;
          }
          number++;
        }
      }
      return true;
    } catch (IOException e) {
      throw new CocoException(file + ": cannot be read: " + e, e);
    } catch (CallerException e) {
      throw e.cause;
    } catch (CocoException e) {
      throw e;
    } catch (RuntimeException e) { // parquet's own kinds for a file that is damaged or none
      throw new CocoException(file + ": is no parquet file, or damaged: " + e.getMessage(), e);
    }
  }

  /** Keeps what the caller throws apart from what the reader does. */
  private static boolean used(BiPredicate<Long, Row> use, long number, Row row) {
    try {
      return use.test(number, row);
    } catch (RuntimeException e) {
      throw new CallerException(e);
    }
  }

  private static final class CallerException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final RuntimeException cause;

    CallerException(RuntimeException cause) {
      super(cause);
      this.cause = cause;
    }
  }

  private static Type column(Path file, MessageType schema, String name) {
    if (!schema.containsField(name) || schema.getType(name).isPrimitive()) {
      throw new CocoException(
          file
              + ": has no column '"
              + name
              + "' as HuggingFaceM4/COCO has; it has "
              + names(schema));
    }
    return schema.getType(name);
  }

  private static String names(MessageType schema) {
    return String.join(", ", schema.getFields().stream().map(Type::getName).toList());
  }

  private static Row row(Path file, long number, Group g) {
    Group image = g.getGroup(IMAGE, 0);
    if (image.getFieldRepetitionCount("bytes") == 0) {
      throw new CocoException(file + ": row " + number + " has no image bytes");
    }
    List<String> captions = new ArrayList<>();
    Group list = g.getGroup(SENTENCES, 0);
    for (int i = 0; i < list.getFieldRepetitionCount(0); i++) {
      captions.add(list.getGroup(0, i).getString(0, 0));
    }
    if (captions.isEmpty()) {
      throw new CocoException(file + ": row " + number + " has no captions");
    }
    return new Row(image.getBinary("bytes", 0).getBytes(), captions);
  }
}
