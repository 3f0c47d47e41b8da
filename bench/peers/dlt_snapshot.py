"""One table of PostgreSQL into a DuckLake by dlt: source, catalog, folder for Parquet files, folder for dlt's own files."""

import sys

import dlt
from dlt.destinations import ducklake
from dlt.destinations.impl.ducklake.configuration import DuckLakeCredentials
from dlt.sources.sql_database import sql_table

source, catalog, data, work = sys.argv[1:]

# Measured on 1M rows, seconds in all: connectorx with arrow_stream 4.8, the same with files of 250k rows 10.6, connectorx at once 6.9, in two
# partitions 8.3, pyarrow 11.8 to 13.0.
table = sql_table(
    credentials=source.replace("postgres://", "postgresql+psycopg2://"),
    schema="public",
    table="wide",
    backend="connectorx",
    chunk_size=100_000,
    backend_kwargs={"conn": source.replace("postgres://", "postgresql://"), "return_type": "arrow_stream"},
)
lake = DuckLakeCredentials("lake", metadata_schema="public", catalog=catalog, storage=f"file://{data}")
pipeline = dlt.pipeline("peers", destination=ducklake(credentials=lake), dataset_name="bench", pipelines_dir=work)
pipeline.run(table, write_disposition="replace", loader_file_format="parquet")
