using System.Text;
using Couic.Native;

namespace Couic.Config;

/// <summary>Reads couic.toml by the rows of <see cref="SettingsSchema"/>, and checks whether this machine has what it names.</summary>
public static class SettingsReader
{
    /// <summary>Reads a file or the embedded default, and checks whether user, group and working folder exist here.</summary>
    /// <returns>Null when there is any fault; all of them are added to <paramref name="faults"/>, in the order of the file.</returns>
    public static Settings? Read(SettingsSource source, List<Fault> faults) =>
        Read(source.Path, Encoding.UTF8.GetBytes(source.Text), faults, checkHost: !source.IsEmbedded);

    /// <summary>Reads a text. <paramref name="file"/> names it in the faults; <paramref name="checkHost"/>: also check this machine.</summary>
    /// <inheritdoc cref="Read(SettingsSource, List{Fault})"/>
    public static Settings? Read(string file, ReadOnlySpan<byte> utf8, List<Fault> faults, bool checkHost)
    {
        List<Fault> found = [];
        TomlTable document = TomlDocument.Read(file, utf8, found);
        var top = new KeyReader(file, document, found, isComplete: found.Count == 0);
        var settings = new Settings();
        var readers = new Dictionary<string, KeyReader> { [string.Empty] = top };
        foreach (SettingsTable table in SettingsSchema.Tables)
        {
            // The table around "server.tls" is "server", and has its row before it.
            int dot = table.Name.LastIndexOf('.');
            KeyReader keys = table.Name.Length == 0 ? top : readers[dot < 0 ? string.Empty : table.Name[..dot]].Table(table.Name[(dot + 1)..]);
            readers[table.Name] = keys;
            settings = table.Keys.Aggregate(settings, (read, key) => key.Read(keys, read));
            settings = table.Complete?.Invoke(keys, settings) ?? settings;
        }

        foreach (KeyReader keys in readers.Values.Where(keys => keys != top))
        {
            keys.Finish(SettingsSchema.Names);
        }

        top.Finish(SettingsSchema.Names.Where(name => name.Contains('.', StringComparison.Ordinal)));
        if (checkHost)
        {
            CheckHost(top, settings);
        }

        faults.AddRange(found.OrderBy(fault => fault.Line).ThenBy(fault => fault.Column));
        return found.Count == 0 ? settings : null;
    }

    private static void CheckHost(KeyReader top, Settings settings)
    {
        if (settings.User.Length > 0 && Accounts.FindUser(settings.User) is null)
        {
            top.Fail("user", $"user = {TomlValue.Quote(settings.User)}: no such user (useradd --system {settings.User}; a number is accepted too)");
        }

        if (settings.Group.Length > 0 && Accounts.FindGroup(settings.Group) is null)
        {
            top.Fail("group", $"group = {TomlValue.Quote(settings.Group)}: no such group (groupadd --system {settings.Group}; a number is accepted too)");
        }

        if (settings.WorkingDir.Length > 0)
        {
            Errno error = Files.TryStatTarget(settings.WorkingDir, out FileState state);
            if (error != Errno.None || state.Kind != FileKind.Folder)
            {
                string cause = error != Errno.None ? error.Text() : "is not a folder";
                top.Fail("working_dir", $"working_dir = \"{settings.WorkingDir}\": {cause} (it must exist: mkdir -p \"{settings.WorkingDir}\")");
            }
        }
    }
}
