using Microsoft.Data.Sqlite;

namespace RegistryFunctions.Storage.Sqlite;

/// <summary>One-off statements, all of them constants of this folder and numbers: nothing of a request gets here.</summary>
internal static class SqliteConnectionExtensions
{
#pragma warning disable CA2100 // See above.
    public static void Execute(this SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public static T Scalar<T>(this SqliteConnection connection, string sql)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return (T)command.ExecuteScalar()!;
    }
#pragma warning restore CA2100
}
