"""A topic into day folders by Spark's AvailableNow trigger: the batch job that people would write instead of `lakectl lake`.

    spark-submit --packages org.apache.spark:spark-sql-kafka-0-10_2.13:VERSION bench/spark_available_now.py BROKERS TOPIC FOLDER
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, date_format

brokers, topic, folder = sys.argv[1:]
spark = SparkSession.builder.appName("bench").config("spark.sql.session.timeZone", "UTC").getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
records = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", brokers)
    .option("kafka.isolation.level", "read_committed")
    .option("subscribe", topic)
    .option("startingOffsets", "earliest")
    .load()
)
lines = records.select(
    col("value").cast("string"),
    *[date_format("timestamp", form).alias(name) for name, form in [("year", "yyyy"), ("month", "MM"), ("day", "dd")]],
)
writing = (
    lines.writeStream.format("text")
    .partitionBy("year", "month", "day")
    .option("path", f"{folder}/data")
    .option("checkpointLocation", f"{folder}/checkpoint")
    .trigger(availableNow=True)
    .start()
)
writing.awaitTermination()
