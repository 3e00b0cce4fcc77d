using Npgsql;

namespace RegistryFunctions.Storage.Postgres;

/// <summary>Statements that are sent by themselves, and parameters, $1 first: typed, so that nothing is looked up by reflection.</summary>
internal static class PostgresCommands
{
    /// <summary>Runs a statement and returns how many rows it has changed.</summary>
    public static async Task<int> ExecuteAsync(
        this NpgsqlDataSource database, string sql, Action<NpgsqlParameterCollection>? with = null, int? timeoutSecs = null)
    {
        await using NpgsqlCommand command = database.CreateCommand(sql, with, timeoutSecs);
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>Runs a query and returns what <paramref name="read"/> makes of each row.</summary>
    public static async Task<List<T>> QueryAsync<T>(
        this NpgsqlDataSource database,
        string sql,
        Action<NpgsqlParameterCollection> with,
        Func<NpgsqlDataReader, T> read,
        int? timeoutSecs = null,
        CancellationToken cancellationToken = default)
    {
        await using NpgsqlCommand command = database.CreateCommand(sql, with, timeoutSecs);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<T>();
        while (await row.ReadAsync(cancellationToken))
        {
            found.Add(read(row));
        }

        return found;
    }

    /// <summary>Adds a statement to a batch and returns its parameters.</summary>
    public static NpgsqlParameterCollection Add(this NpgsqlBatch batch, string sql)
    {
        var statement = new NpgsqlBatchCommand(sql);
        batch.BatchCommands.Add(statement);
        return statement.Parameters;
    }

    public static NpgsqlParameterCollection Bytes(this NpgsqlParameterCollection parameters, ReadOnlyMemory<byte> value) =>
        parameters.With(value);

    public static NpgsqlParameterCollection Int32(this NpgsqlParameterCollection parameters, int value) => parameters.With(value);

    public static NpgsqlParameterCollection Int64(this NpgsqlParameterCollection parameters, long value) => parameters.With(value);

    public static NpgsqlParameterCollection Boolean(this NpgsqlParameterCollection parameters, bool value) => parameters.With(value);

    public static NpgsqlParameterCollection Text(this NpgsqlParameterCollection parameters, string value) => parameters.With(value);

    private static NpgsqlCommand CreateCommand(
        this NpgsqlDataSource database, string sql, Action<NpgsqlParameterCollection>? with, int? timeoutSecs)
    {
        NpgsqlCommand command = database.CreateCommand(sql);
        command.CommandTimeout = timeoutSecs ?? command.CommandTimeout;
        with?.Invoke(command.Parameters);
        return command;
    }

    private static NpgsqlParameterCollection With<T>(this NpgsqlParameterCollection parameters, T value)
    {
        parameters.Add(new NpgsqlParameter<T> { TypedValue = value });
        return parameters;
    }
}
