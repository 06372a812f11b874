import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';

/** Whether destructive tools are called without anybody's approval. */
export const DESTRUCTIVE_TOOLS = ['ALLOW', 'REQUIRE_APPROVAL'] as const;
export type DestructiveTools = (typeof DESTRUCTIVE_TOOLS)[number];

/** A tenant. */
@Entity('teams')
export class Team {
  @PrimaryColumn('uuid') id!: string;
  @Column('text') slug!: string;
  @Column('text', { name: 'display_name' }) displayName!: string;
  @Column('text', { name: 'destructive_tools' }) destructiveTools!: DestructiveTools;
  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' }) createdAt!: Date;
}
