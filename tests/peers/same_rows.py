"""How the readings of a database and those in PostgreSQL differ: same_rows.py DATABASE MOST_SEQ PSQL URL. Prints up to ten rows that only one side has, in
every column and values to the last bit, and rows that PostgreSQL has twice; nothing where both have the same."""
import sqlite3
import struct
import subprocess
import sys

database, most, psql, url = sys.argv[1:]
there = """copy (select plant, turbine, tag, to_char(ts at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
  || case when extract(microseconds from ts)::bigint % 1000000 = 0 then ''
     else '.' || rtrim(to_char(ts at time zone 'UTC', 'US'), '0') end || 'Z',
  seq, coalesce(encode(float8send(value), 'hex'), ''), (array['good', 'uncertain', 'bad'])[quality + 1],
  coalesce(reason, ''), coalesce(model, '') from nox.reading where seq <= """ + most + ") to stdout"
both = sqlite3.connect("")
both.create_function("bits", 1, lambda v: "" if v is None else struct.pack(">d", v).hex())
both.execute("attach ? as store", (database,))
columns = "plant, turbine, tag, t, seq, v, q, reason, model"
both.execute(f"create table there({columns})")
rows = subprocess.Popen([psql, "-XAtq", url, "-c", there], stdout=subprocess.PIPE, text=True)
both.executemany("insert into there values (?,?,?,?,cast(? as integer),?,?,?,?)", (line.rstrip("\n").split("\t") for line in rows.stdout))
if rows.wait():
    sys.exit("psql failed")
both.execute(f"create table here({columns})")
both.execute("""insert into here select (select value from store.plant where key = 'plant'), (select value from store.plant where key = 'turbine'),
  tag, time, seq, bits(value), quality, coalesce(reason, ''), coalesce(model, '') from store.readings where seq <= ?""", (int(most),))
for one, other in (("here", "there"), ("there", "here")):
    for row in both.execute(f"select * from {one} except select * from {other} limit 10"):
        print(f"only {one}:", *row)
count = lambda table: both.execute(f"select count(*) from {table}").fetchone()[0]
if count("here") != count("there"):
    print(f"{count('here')} rows here, {count('there')} there")
