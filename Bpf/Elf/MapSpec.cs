namespace Couic.Bpf.Elf;

/// <summary>A map that an object defines, as libbpf's macros write it: a struct of pointers whose types hold the numbers.</summary>
internal sealed class MapSpec
{
    public required string Name { get; init; }

    public required uint Type { get; init; }

    public required uint KeySize { get; init; }

    public required uint ValueSize { get; init; }

    public required uint Flags { get; init; }

    public required uint BtfKeyType { get; init; }

    public required uint BtfValueType { get; init; }

    public required uint MaxEntries { get; set; }

    public static MapSpec Read(BtfTypes types, uint variable)
    {
        string name = types.NameOf(variable);
        Dictionary<string, uint> members = types.Members(types.Strip(types[variable].SizeOrType)).DistinctBy(m => m.Name).ToDictionary(m => m.Name, m => m.Type);

        uint Target(string member)
        {
            uint pointer = types.Strip(members.TryGetValue(member, out uint id) ? id : throw ElfFile.Malformed($"map \"{name}\" has no \"{member}\""));
            return types[pointer].Kind == BtfKind.Pointer ? types[pointer].SizeOrType : throw ElfFile.Malformed($"map \"{name}\": \"{member}\" is no pointer");
        }

        uint Number(string member) => types.ArrayLength(types.Strip(Target(member)));

        return new MapSpec
        {
            Name = name,
            Type = Number("type"),
            KeySize = types.SizeOf(Target("key")),
            ValueSize = types.SizeOf(Target("value")),
            MaxEntries = Number("max_entries"),
            Flags = members.ContainsKey("map_flags") ? Number("map_flags") : 0,
            BtfKeyType = Target("key"),
            BtfValueType = Target("value"),
        };
    }
}
