using System.Data;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>
/// A connection with its prepared statements, which are closed together. The SQL is always a constant of this folder,
/// perhaps with numbers in it: nothing of a request gets here. Not thread-safe.
/// </summary>
internal sealed class SqliteSession(SqliteConnection connection) : IDisposable
{
    private readonly List<SqliteStatement> _statements = [];

    /// <summary>For SQLite's own functions.</summary>
    public sqlite3 Handle => connection.Handle!;

    /// <summary>Whether a transaction is open.</summary>
    public bool InTransaction => raw.sqlite3_get_autocommit(Handle) == 0;

    /// <summary>
    /// Makes the object that closes this session from now on. Where that fails, the session is closed at once.
    /// </summary>
    public T Into<T>(Func<SqliteSession, T> make)
    {
        try
        {
            return make(this);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Prepares a statement that runs often.</summary>
    public SqliteStatement Prepare(string sql)
    {
        var statement = new SqliteStatement(Handle, sql);
        _statements.Add(statement);
        return statement;
    }

    /// <summary>Begins a transaction: for reading first where it is deferred, or else for writing at once.</summary>
    public SqliteTransaction Begin(bool deferred) => connection.BeginTransaction(deferred);

#pragma warning disable CA2100 // See above.
    /// <summary>Runs SQL once.</summary>
    public void Execute(string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>Runs a query of one value once.</summary>
    public T Scalar<T>(string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return (T)command.ExecuteScalar()!;
    }
#pragma warning restore CA2100

    /// <summary>
    /// Whether SQLite, if this is the last to close the file, copies the write-ahead log and removes it. Off by default: the last
    /// process to close may not know that another's flush failed.
    /// </summary>
    public void AllowCheckpointOnClose(bool isAllowed) =>
        _ = raw.sqlite3_db_config(Handle, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, isAllowed ? 0 : 1, out _);

    /// <inheritdoc/>
    public void Dispose()
    {
        _statements.ForEach(statement => statement.Dispose());
        // Nothing is lost with an empty log, which even a reader begins.
        if (connection.State == ConnectionState.Open && new FileInfo(SqliteFile.LogOf(connection.DataSource)) is { Exists: true, Length: 0 })
        {
            AllowCheckpointOnClose(true);
        }

        connection.Dispose();
    }
}
