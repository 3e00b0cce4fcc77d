using NCrontab;

namespace RegistryFunctions.Settings;

/// <summary>When <c>Prune</c> runs under a Functions host, which reads this setting itself.</summary>
internal static class PruneSchedule
{
    /// <summary>The setting, as the timer trigger names it.</summary>
    public const string Setting = "PruneSchedule";

    private const string Must = "must be an NCRONTAB expression such as \"0 0 * * * *\", which is hourly";

    /// <summary>
    /// Refuses a schedule that the host can't use. If only the host reports it, it is easy to miss: all but Prune still works, and
    /// nothing is dropped by age.
    /// </summary>
    /// <exception cref="SettingException">It is missing, or no NCRONTAB expression of five or six fields.</exception>
    public static void Check(IConfiguration configuration)
    {
        string? schedule = configuration[Setting];
        if (schedule is null)
        {
            throw new SettingException($"{Setting}: is missing; it {Must}");
        }

        bool hasSeconds = schedule.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length == 6;
        if (CrontabSchedule.TryParse(schedule, new CrontabSchedule.ParseOptions { IncludingSeconds = hasSeconds }) is null)
        {
            throw new SettingException($"{Setting}: {Must}, not \"{schedule}\"");
        }
    }
}
