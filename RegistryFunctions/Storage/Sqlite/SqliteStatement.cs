using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// One prepared statement. It is SQLite's own, without ADO.NET's command, parameter and reader objects: on the hot path
/// those cost more than the statement. Parameters count from 1, columns from 0 (https://www.sqlite.org/c3ref/stmt.html).
/// </summary>
internal sealed class SqliteStatement : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly sqlite3_stmt _statement;

    /// <summary>Prepares <paramref name="sql"/> for many executions.</summary>
    public SqliteStatement(sqlite3 connection, string sql)
    {
        _connection = connection;
        Check(raw.sqlite3_prepare_v3(_connection, sql, raw.SQLITE_PREPARE_PERSISTENT, out _statement));
    }

    public SqliteStatement Bind(int parameter, long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, parameter, value));
        return this;
    }

    public SqliteStatement Bind(int parameter, ReadOnlySpan<byte> value)
    {
        Check(raw.sqlite3_bind_blob(_statement, parameter, value));
        return this;
    }

    public SqliteStatement BindNull(int parameter)
    {
        Check(raw.sqlite3_bind_null(_statement, parameter));
        return this;
    }

    /// <summary>Runs a statement that yields no rows.</summary>
    public void Execute()
    {
        foreach (SqliteStatement _ in Rows())
        {
        }
    }

    /// <summary>Runs a query of one number; 0 where it yields no row.</summary>
    public long QueryInt64()
    {
        foreach (SqliteStatement row in Rows())
        {
            return row.Int64(0);
        }

        return 0;
    }

    /// <summary>
    /// Runs a query, for one <c>foreach</c>. Each row is the statement itself; the execution ends with the loop, and with it
    /// the read transaction of a query outside a transaction.
    /// </summary>
    public RowsOfQuery Rows() => new(this);

    /// <summary>A column of the row, valid until the next step or reset.</summary>
    public ReadOnlySpan<byte> Blob(int column) => raw.sqlite3_column_blob(_statement, column);

    /// <summary>A column of the row.</summary>
    public long Int64(int column) => raw.sqlite3_column_int64(_statement, column);

    /// <summary>Whether a column of the row is null.</summary>
    public bool IsNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL;

    public void Dispose() => _statement.Dispose();

    private bool Step()
    {
        int code = SqliteFault.CodeOf(_connection, raw.sqlite3_step(_statement));
        if (code != raw.SQLITE_ROW)
        {
            Check(code == raw.SQLITE_DONE ? raw.SQLITE_OK : code);
        }

        return code == raw.SQLITE_ROW;
    }

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK)
        {
            throw new SqliteException(raw.sqlite3_errmsg(_connection).utf8_to_string(), code & SqliteFault.PrimaryCode, code);
        }
    }

    /// <summary>An execution of a statement.</summary>
    public readonly ref struct RowsOfQuery(SqliteStatement statement)
    {
        public SqliteStatement Current => statement;

        public RowsOfQuery GetEnumerator() => this;

        public bool MoveNext() => statement.Step();

        public void Dispose() => raw.sqlite3_reset(statement._statement);
    }
}
