// Speaks to a ClickHouse over HTTP as Grafana's ClickHouse plugin does, so that its requests can be recorded.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func must(err error) {
	if err != nil {
		fmt.Println("FAILED", err)
		os.Exit(1)
	}
}

func main() {
	addr, user, password, method := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	methods := map[string]clickhouse.CompressionMethod{"none": clickhouse.CompressionNone, "lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD, "gzip": clickhouse.CompressionGZIP, "deflate": clickhouse.CompressionDeflate}
	options := &clickhouse.Options{
		Addr:        []string{addr},
		Protocol:    clickhouse.HTTP,
		Auth:        clickhouse.Auth{Database: "flyball", Username: user, Password: password},
		Compression: &clickhouse.Compression{Method: methods[method], Level: 1},
		DialTimeout: 10 * time.Second,
		ReadTimeout: 60 * time.Second,
		ClientInfo:  clickhouse.ClientInfo{Products: []struct{ Name, Version string }{{"grafana", "11.6.0"}, {"clickhouse-datasource", "4.8.2"}}},
		Settings:    clickhouse.Settings{"limit": 1000},
	}
	db := clickhouse.OpenDB(options)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	must(db.PingContext(ctx))
	var version string
	must(db.QueryRowContext(ctx, "SELECT version()").Scan(&version))
	if user == "flyball" {
		_, err := db.ExecContext(ctx, "CREATE OR REPLACE TABLE flyball.go_"+method+" (at DateTime64(3, 'UTC'), team LowCardinality(String), cost Decimal(18, 9), note Nullable(String), tags Map(String, String), l Array(String)) ENGINE = MergeTree ORDER BY at")
		must(err)
		options.Settings = nil
		conn, err := clickhouse.Open(options)
		must(err)
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO flyball.go_"+method)
		must(err)
		for i := 0; i < 50; i++ {
			note := fmt.Sprintf("it's %d", i)
			var n *string
			if i%2 == 0 {
				n = &note
			}
			must(batch.Append(time.UnixMilli(1764500000000+int64(i)).UTC(), "team "+fmt.Sprint(i%3), "0.000000001", n, map[string]string{"k": "日本"}, []string{"a", note}))
		}
		must(batch.Send())
	}
	rows, err := db.QueryContext(ctx, "SELECT number AS n, toDateTime('2026-11-20 10:00:00', 'UTC') + number AS time, concat('team ', toString(n % 3)) AS team, toDecimal64(n, 9) AS cost, toLowCardinality(team) AS lc, if(n % 2, NULL, n) AS maybe, [team] AS list FROM numbers(2000)")
	must(err)
	count := 0
	for rows.Next() {
		count++
	}
	must(rows.Err())
	_, err = db.QueryContext(ctx, "SELECT nosuch FROM operations")
	fmt.Println(version, count, err)
	rows, err = db.QueryContext(ctx, "SELECT team FROM operations WHERE org = 'nobody'")
	must(err)
	for rows.Next() {
	}
	must(rows.Err())
}
